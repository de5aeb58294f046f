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
  { vendor: 'GE', series: 'Ax VIBRANT Multiphase', phases: 'all in one series' },
]) {
  test(`${vendor}, phases ${phases}: the segmentation opens over the dynamic series`, async () => {
    const { study, results } = await node.push(vendor);
    await look(`seg-${vendor}`, deepLink(study, results.seg[0].series), async viewer => {
      await viewer.openSegments();
      await viewer.text('Lesion 1');
      await viewer.text('Fibroglandular tissue');
      await viewer.coloured(breastColour, 1000); // it goes to its first image; a click before that is lost
      const first = await viewer.image();
      await viewer.goTo('Lesion 1');
      if (phases === 'all in one series') {
        // OHIF goes to the first image at that place, which is of the first phase, and the segmentation is of another.
        await viewer.page.waitForFunction(n => !document.body.innerText.includes(`(${n}/`), first);
        await viewer.show(first - 1 + (await viewer.image()));
      }
      // The outline of a lesion of 16 mm: 5 voxels of the small phantom, 8 x 8 pixels each.
      await viewer.coloured(lesionColour, 100);
      assert.ok(viewer.asked.some(p => p.includes('/frames/')), 'no image was fetched from the node');
      const shown = await viewer.page.locator('[data-cy="viewport-pane"]').first().innerText();
      assert.ok(shown.includes(series), `the series under the segmentation: ${shown}`);
    });
  });
}

test('the measurements are listed and drawn', async () => {
  const { study, results } = await node.push('Siemens'); // again: nothing new, the results stay
  const found = await (await fetch(`${node.url}/dicom-web/studies/${study}/series?Modality=SR`)).json();
  const series = found.map(s => s['0020000E'].Value[0]).find(uid => uid !== results.sr[0].series);
  await look('measurements', deepLink(study, series), async viewer => {
    await viewer.openMeasurements();
    await viewer.text(/^Lesion 1 AI p=0\.\d\d$/);
    await viewer.coloured(drawingColour, 300);
  });
});

test('the list of studies names the phantoms', async () => {
  await look('studies', '/viewer', async viewer => {
    await viewer.text('Phantom, Seed 7');
  });
});
