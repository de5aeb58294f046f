// The node's viewer in a headless browser, with what a person would notice: what it shows, and what went wrong.
import { chromium } from 'playwright-core';
import path from 'node:path';

// patience is for software rendering on a busy machine: the first image takes 10 to 20 seconds there.
const patience = Number(process.env.PATIENCE ?? 180_000); // ms

// ownTrouble is OHIF's alone: on a slow machine an image arrives for a viewport whose layout has been changed meanwhile.
const ownTrouble = /viewport has been destroyed and is no longer usable/;

// launch starts the browser. WebGL is drawn by the CPU (SwiftShader).
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--disable-quic',
      '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

// open opens an address below the node's root in a window of its own.
export async function open(browser, root, address) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  const viewer = new Viewer(context, page, root);
  await page.goto(root + address);
  return viewer;
}

class Viewer {
  constructor(context, page, root) {
    this.context = context;
    this.page = page;
    this.trouble = []; // errors of the console, failed requests, requests to anywhere but the node
    this.asked = []; // paths of the requests to the node's DICOMweb services
    page.on('pageerror', e => ownTrouble.test(e.message) || this.trouble.push(`uncaught: ${e.stack ?? e.message}`));
    page.on('crash', () => this.trouble.push('the page crashed'));
    page.on('console', m => m.type() === 'error' && this.trouble.push(`console: ${m.text()}`));
    page.on('requestfailed', r => this.trouble.push(`${r.failure()?.errorText}: ${r.url()}`));
    page.on('request', r => {
      if (!r.url().startsWith(root) && !/^(blob|data):/.test(r.url())) this.trouble.push(`asks elsewhere: ${r.url()}`);
    });
    page.on('response', r => {
      const { pathname } = new URL(r.url());
      if (pathname.startsWith('/dicom-web/')) this.asked.push(pathname);
      if (r.status() >= 400) this.trouble.push(`${r.status()}: ${r.url()}`);
    });
  }

  // text waits until the words are seen.
  text(words) {
    return this.page.getByText(words, { exact: true }).first().waitFor();
  }

  // openSegments shows the list of segments, openMeasurements that of measurements.
  openSegments() {
    return this.openPanel('panelSegmentation-btn');
  }

  openMeasurements() {
    return this.openPanel('trackedMeasurements-btn');
  }

  async openPanel(button) {
    await this.page.getByText('Confirm and hide').click();
    await this.page.locator(`[data-cy="${button}"]`).click();
  }

  // goTo brings a segment's middle into view, and the mouse away: what OHIF tells below it has the segment's colour too.
  async goTo(segment) {
    await this.page.getByText(segment, { exact: true }).first().click();
    await this.page.mouse.move(0, 0);
  }

  // coloured waits until so many pixels of the image or more have the hue of rgb, and returns how many.
  async coloured(rgb, atLeast) {
    let n = 0;
    for (const limit = Date.now() + patience; Date.now() < limit; await this.page.waitForTimeout(500)) {
      n = await this.count(rgb);
      if (n >= atLeast) return n;
    }
    throw new Error(`${n} pixels in the colour of the segment, ${atLeast} were expected`);
  }

  // count returns the pixels of the image, as it is seen, that have the hue of rgb within 25 degrees, which they keep where
  // segments lie over each other, and components that differ by more than chroma: no pale colour.
  async count(rgb, chroma = 60) {
    const png = await this.page.locator('.cornerstone-canvas').first().screenshot();
    this.paper ??= await this.context.newPage(); // an empty page: the viewer's own may be at work
    return this.paper.evaluate(async ([png, rgb, chroma]) => {
      const hue = (r, g, b) => (Math.atan2(Math.sqrt(3) * (g - b), 2 * r - g - b) * 180) / Math.PI;
      const bytes = Uint8Array.from(atob(png), c => c.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
      const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
      canvas.drawImage(image, 0, 0);
      const pixels = canvas.getImageData(0, 0, image.width, image.height).data;
      let n = 0;
      for (let i = 0; i < pixels.length; i += 4) {
        const [r, g, b] = pixels.subarray(i, i + 3);
        const off = Math.abs(hue(r, g, b) - hue(...rgb));
        if (Math.max(r, g, b) - Math.min(r, g, b) > chroma && Math.min(off, 360 - off) < 25) n++;
      }
      return n;
    }, [png.toString('base64'), rgb, chroma]);
  }

  // close keeps a picture of the page as out/name.png and ends it.
  async close(out, name) {
    await this.page.screenshot({ path: path.join(out, `${name}.png`) });
    await this.context.close();
  }
}
