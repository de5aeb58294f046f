// What a person sees of an analysis: the node's own viewer in a browser. Needs the built program (SERVER) and Chromium;
// leaves pictures in OUT. OHIF names a package file to install instead of fetching it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { start } from './node.mjs';
import { launch, open } from './ohif.mjs';

const out = process.env.OUT ?? path.join(import.meta.dirname, '..', 'out');
const lesionColour = [230, 60, 50]; // of the segments named "Lesion n", server/report
const breastColour = [100, 200, 140]; // of the left one; no part of OHIF's own window has it
const drawingColour = [255, 255, 0]; // of OHIF's measurements

let folder, node, browser;

before(async () => {
  await mkdir(out, { recursive: true });
  folder = await mkdtemp(path.join(tmpdir(), 'viewer-test-'));
  node = await start(process.env.SERVER, folder, process.env.OHIF);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await node?.stop();
  await rm(folder, { recursive: true, force: true });
});

// look opens an address, has it checked, and wants no trouble in the end. A picture is kept in any case.
async function look(name, address, check) {
  const viewer = await open(browser, node.url, address);
  try {
    await check(viewer);
    assert.deepEqual(viewer.trouble, []);
  } catch (e) {
    console.error(name, viewer.trouble);
    throw e;
  } finally {
    await viewer.close(out, name);
  }
}

// deepLink is what server/viewer makes for a study and the series to begin with.
const deepLink = (study, series) => `/viewer?StudyInstanceUIDs=${study}&initialSeriesInstanceUID=${series}`;

// The phantom of each vendor stores its phases in another way; series is the one that the segmentation refers to.
for (const { vendor, series, phases } of [
  { vendor: 'Siemens', series: 't1_fl3d_tra_dynaVIEWS_spair_1+5', phases: 'a series each' },
  { vendor: 'GE', series: 'AI reference phase', phases: 'all in one series' },
  { vendor: 'Philips', series: 'AI reference phase', phases: 'all in one series, with identifiers' },
]) {
  test(`${vendor}, phases ${phases}: the segmentation opens over the dynamic series`, async () => {
    const { study, results } = await node.push(vendor);
    await look(`seg-${vendor}`, deepLink(study, results.seg[0].series), async viewer => {
      await viewer.openSegments();
      await viewer.text('Lesion 1');
      await viewer.text('Fibroglandular tissue');
      await viewer.coloured(breastColour, 1000); // it goes to its first image; a click before that is lost
      await viewer.goTo('Lesion 1');
      // The outline of a lesion of 16 mm: 5 voxels of the small phantom, 8 x 8 pixels each.
      await viewer.coloured(lesionColour, 100);
      // Outlines leave what they hold as it is: filled, the breast takes 40,000 pixels, its outline 4,000.
      assert.ok((await viewer.count(breastColour, 20)) < 10_000, 'the segments are filled');
      assert.ok(viewer.asked.some(p => p.includes('/frames/')), 'no image was fetched from the node');
      const shown = await viewer.page.locator('[data-cy="viewport-pane"]').first().innerText();
      assert.ok(shown.includes(series), `the series under the segmentation: ${shown}`);
    });
  });
}

test('the second report opens with the most suspicious lesion drawn, and lists all', async () => {
  const { study, lesions, series } = await node.answer('Siemens');
  await look('measurements', deepLink(study, series.find(s => s.description.startsWith('AI lesion measurements')).uid), async viewer => {
    await viewer.openMeasurements();
    for (const l of lesions) await viewer.text(`${l.label} AI p=${l.probability_of_malignancy.toFixed(2)}`);
    await viewer.text(`L: ${lesions[0].axial_long_mm.toFixed(1)} mm`);
    await viewer.coloured(drawingColour, 300);
    assert.equal(await viewer.page.getByText('Something went wrong').count(), 0);
  });
});

// The page of a study needs no script, fits a phone, and leads to the viewer.
for (const { name, width, lang, heading } of [
  { name: 'page', width: 1300, lang: 'en', heading: 'Lesions found' },
  { name: 'page-phone', width: 375, lang: 'ko', heading: '병변' },
]) {
  test(`the page of a study, ${width} pixels wide, in ${lang}`, async () => {
    const { study, lesions, series } = await node.answer('Siemens');
    const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width, height: 900 } });
    const page = await context.newPage();
    const trouble = [];
    page.on('requestfailed', r => trouble.push(`failed: ${r.url()}`));
    page.on('response', r => r.status() >= 400 && trouble.push(`${r.status()}: ${r.url()}`));
    page.on('request', r => r.url().startsWith(node.url) || trouble.push(`asks elsewhere: ${r.url()}`));
    try {
      await page.goto(`${node.url}/study/${study}?lang=${lang}`);
      assert.match(await page.locator('h1').innerText(), new RegExp(heading));
      const pictures = await page.locator('img').count();
      assert.ok(pictures >= 3 + 3 * lesions.length, `${pictures} pictures`);
      // A page wider than the window would have to be pushed aside on a phone.
      const box = await page.locator('body').boundingBox();
      assert.ok(box.width <= width, `the page is ${box.width} pixels wide`);
      const links = page.locator('a[href*="viewer?StudyInstanceUIDs"]'); // lesions drawn, then the segmentation
      for (const [i, begins] of ['AI lesion measurements', 'AI breast MRI segmentation'].entries()) {
        const { uid } = series.find(s => s.description.startsWith(begins));
        assert.ok((await links.nth(i).getAttribute('href')).endsWith(`StudyInstanceUIDs=${study}&initialSeriesInstanceUID=${uid}`));
      }
      await page.screenshot({ path: path.join(out, `${name}.png`), fullPage: true });
      assert.deepEqual(trouble, []);
    } finally {
      await context.close();
    }
  });
}

test('the list of studies names the phantoms', async () => {
  await look('studies', '/viewer', async viewer => {
    await viewer.text('Phantom, Seed 7');
  });
});
