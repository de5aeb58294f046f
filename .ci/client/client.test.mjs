// Every method of npm's dicomweb-client against the node, from a page of another origin in Chromium: the library is made
// of XMLHttpRequest, and what CORS hides from it is not there. Needs the built program (SERVER) and Chromium.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { serve } from '../browser/node.mjs';

const side = 128; // rows and columns of the phantom's dynamic images, 16 bits
const frameBytes = side * side * 2;
const sum = bytes => createHash('sha256').update(bytes).digest('hex');

let folder, elsewhere, browser, files;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'client-test-'));
  await promisify(execFile)(process.env.SERVER, ['phantom', '--resolution', 'small', '-o', path.join(folder, 'study')]);
  files = await images(path.join(folder, 'study'), 'dynaVIEWS', 3);
  elsewhere = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end('<!doctype html>'));
  await once(elsewhere.listen(0, '127.0.0.1'), 'listening');
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-quic'] });
});

after(async () => {
  await browser?.close();
  elsewhere?.close();
  await rm(folder, { recursive: true, force: true });
});

// images returns the first n files of the first series whose folder's name holds part: their bytes and their pixels, which
// are the last thing in them.
async function images(dir, part, n) {
  const series = (await readdir(dir)).sort().find(d => d.includes(part));
  const names = (await readdir(path.join(dir, series))).sort().slice(0, n);
  const list = await Promise.all(names.map(f => readFile(path.join(dir, series, f))));
  return list.map(bytes => ({ bytes, sha256: sum(bytes), pixels: sum(bytes.subarray(-frameBytes)) }));
}

for (const library of ['dicomweb-client', 'dicomweb-client-ohif']) {
  describe(library, () => {
    let node, mounted, page, study, series, instances;

    before(async () => {
      node = await serve(process.env.SERVER, path.join(folder, `data-${library}`), '1h');
      mounted = await (await fetch(`${node.url}/dicom-web`)).text();
      page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${elsewhere.address().port}/`);
      await page.addScriptTag({ path: path.join(import.meta.dirname, 'node_modules', library, 'build', 'dicomweb-client.js') });
      await page.evaluate(prepare, `${node.url}/dicom-web`);
    });

    after(async () => {
      await page?.close();
      await node?.stop();
    });

    // call runs a method in the page; binary answers come back as their sizes and digests.
    const call = (method, options = {}, settings = {}) => page.evaluate(([m, o, s]) => globalThis.call(m, o, s), [method, options, settings]);
    const store = (list, options = {}) => call('storeInstances', { ...options, datasets: list.map(f => f.bytes.toString('base64')) });

    test('storeInstances: one, several with NULs after the last boundary, again, and of another study', async () => {
      const first = await store(files.slice(0, 1));
      assert.equal(first['00081199'].Value.length, 1);
      assert.equal(first['00081198'], undefined);
      const url = first['00081199'].Value[0]['00081190'].Value[0];
      assert.ok(url.startsWith(`${node.url}/dicom-web/studies/`), url);
      study = url.match(/studies\/([0-9.]+)/)[1];
      const all = await store(files, { studyInstanceUID: study });
      assert.equal(all['00081199'].Value.length, files.length);
      await assert.rejects(store(files, { studyInstanceUID: '1.2.3' }), /409/);
    });

    test('searchForStudies, searchForSeries, searchForInstances', async () => {
      const [found, ...more] = await call('searchForStudies', { queryParams: { StudyInstanceUID: study, includefield: '00081030', limit: 5 } });
      assert.deepEqual(more, []);
      assert.equal(found['0020000D'].Value[0], study);
      assert.equal(found['00201208'].Value[0], files.length);
      assert.match(found['00081030'].Value[0], /phantom/);
      assert.deepEqual(await call('searchForStudies', { queryParams: { PatientID: 'nobody' } }), []);
      assert.equal((await call('searchForStudies')).length, 1);

      for (const options of [{ studyInstanceUID: study }, { queryParams: { Modality: 'MR' } }]) {
        const list = await call('searchForSeries', options);
        assert.equal(list.length, 1);
        series = list[0]['0020000E'].Value[0];
        assert.equal(list[0]['00201209'].Value[0], files.length);
      }
      for (const options of [{ studyInstanceUID: study, seriesInstanceUID: series }, { studyInstanceUID: study }, { queryParams: { Modality: 'MR', offset: 0 } }]) {
        const list = await call('searchForInstances', options);
        instances = list.map(i => i['00080018'].Value[0]);
        assert.equal(instances.length, files.length);
        assert.equal(list[0]['00280010'].Value[0], side);
      }
    });

    const at = i => ({ studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID: instances[i] });

    test('retrieveStudyMetadata, retrieveSeriesMetadata, retrieveInstanceMetadata', async () => {
      for (const [method, n] of [['retrieveStudyMetadata', files.length], ['retrieveSeriesMetadata', files.length], ['retrieveInstanceMetadata', 1]]) {
        const list = await call(method, at(0));
        assert.equal(list.length, n, method);
        assert.equal(list[0]['00280010'].Value[0], side);
        assert.match(list[0]['7FE00010'].BulkDataURI, /^http:|^\.|^instances/);
      }
    });

    test('retrieveInstance, retrieveSeries, retrieveStudy: the stored bytes', async () => {
      assert.equal((await call('retrieveInstance', at(1))).sha256, files[1].sha256);
      for (const method of ['retrieveSeries', 'retrieveStudy']) {
        const parts = await call(method, at(0));
        assert.deepEqual(parts.map(p => p.sha256), files.map(f => f.sha256), method);
      }
    });

    test('retrieveInstanceFrames: the stored pixels', async () => {
      for (const mediaTypes of [undefined, [{ mediaType: 'application/octet-stream', transferSyntaxUID: '*' }], [{ mediaType: 'application/octet-stream', transferSyntaxUID: '1.2.840.10008.1.2.1' }],
        [{ mediaType: 'image/jpeg', transferSyntaxUID: '1.2.840.10008.1.2.4.50' }, { mediaType: 'application/octet-stream', transferSyntaxUID: '1.2.840.10008.1.2.1' }]]) {
        const frames = await call('retrieveInstanceFrames', { ...at(2), frameNumbers: [1], ...(mediaTypes && { mediaTypes }) });
        assert.deepEqual(frames, [{ size: frameBytes, sha256: files[2].pixels }]);
      }
      assert.equal((await call('retrieveInstanceFrames', { ...at(2), frameNumbers: [1, 1] })).length, 2);
      await assert.rejects(call('retrieveInstanceFrames', { ...at(2), frameNumbers: [99] }), /404/);
    });

    test('retrieveBulkData: multipart, single part, a range', async () => {
      const [metadata] = await call('retrieveInstanceMetadata', at(0));
      const base = `${node.url}/dicom-web/studies/${study}/series/${series}/instances/${instances[0]}/metadata`;
      const BulkDataURI = new URL(metadata['7FE00010'].BulkDataURI, base).href;
      assert.deepEqual(await call('retrieveBulkData', { BulkDataURI }), [{ size: frameBytes, sha256: files[0].pixels }]);
      assert.deepEqual(await call('retrieveBulkData', { BulkDataURI }, { singlepart: 'bulkdata' }), [{ size: frameBytes, sha256: files[0].pixels }]);
      if (library === 'dicomweb-client') { // the older one takes 206 for a failure
        const range = sum(files[0].bytes.subarray(-frameBytes).subarray(0, 100));
        const part = await call('retrieveBulkData', { BulkDataURI, headers: { Accept: 'application/octet-stream', Range: 'bytes=0-99' } }, { singlepart: 'bulkdata' });
        assert.deepEqual(part, [{ size: 100, sha256: range }]);
      }
    });

    // picture tells what a picture's bytes begin with.
    const jpeg = 'ffd8ff', png = '89504e47';

    test('retrieveInstanceRendered, retrieveInstanceFramesRendered', async t => {
      if (!mounted.includes('/rendered')) return t.skip('the node does not render');
      for (const [method, more] of [['retrieveInstanceRendered', {}], ['retrieveInstanceFramesRendered', { frameNumbers: [1] }]]) {
        for (const [mediaType, begins] of [['image/jpeg', jpeg], ['image/png', png]]) {
          const p = first(await call(method, { ...at(0), ...more, mediaTypes: [{ mediaType }], queryParams: { viewport: '32,32' } }));
          assert.ok(p.begins.startsWith(begins), `${method} as ${mediaType}: ${p.begins}`);
        }
      }
      assert.ok(first(await call('retrieveInstanceRendered', at(0))).size > 100);
    });

    test('retrieveInstanceThumbnail, retrieveInstanceFramesThumbnail, and thumbnails as OHIF asks for them', async t => {
      if (!mounted.includes('/thumbnail')) return t.skip('the node has no thumbnails');
      for (const [method, more] of [['retrieveInstanceThumbnail', {}], ['retrieveInstanceFramesThumbnail', { frameNumbers: [1] }]]) {
        const p = first(await call(method, { ...at(0), ...more, mediaTypes: [{ mediaType: 'image/jpeg' }] }));
        assert.ok(p.begins.startsWith(jpeg), `${method}: ${p.begins}`);
      }
      const BulkDataURI = `${node.url}/dicom-web/studies/${study}/series/${series}/thumbnail?accept=image/jpeg`;
      for (const settings of [{}, { singlepart: 'bulkdata' }]) {
        assert.ok(first(await call('retrieveBulkData', { BulkDataURI }, settings)).begins.startsWith(jpeg));
      }
    });

    test('buildInstanceWadoURIUrl', async t => {
      if (!mounted.includes('WADO-URI')) return t.skip('the node has no WADO-URI');
      const url = await call('buildInstanceWadoURIUrl', at(0), { url: `${node.url}/wado` });
      const answer = await fetch(url);
      assert.equal(answer.status, 200, url);
      assert.equal(sum(Buffer.from(await answer.arrayBuffer())), files[0].sha256);
    });

    test('what is not there is told as such across origins', async () => {
      await assert.rejects(call('retrieveStudyMetadata', { studyInstanceUID: '1.2.3' }), /404/);
      await assert.rejects(call('retrieveInstanceMetadata', { ...at(0), sopInstanceUID: '1.2.3' }), /404/);
      await assert.rejects(call('searchForStudies', { queryParams: { limit: 'abc' } }), /400/);
    });
  });
}

const first = p => (Array.isArray(p) ? p[0] : p);

// prepare runs in the page: call makes a client and calls a method of it.
function prepare(url) {
  const hex = bytes => [...bytes].map(b => b.toString(16).padStart(2, '0')).join('');
  async function told(v) {
    if (Array.isArray(v) && v.every(x => x instanceof ArrayBuffer || ArrayBuffer.isView(x))) return Promise.all(v.map(told));
    if (!(v instanceof ArrayBuffer) && !ArrayBuffer.isView(v)) return v;
    const bytes = new Uint8Array(v.buffer ?? v, v.byteOffset ?? 0, v.byteLength);
    const answer = { size: bytes.length, sha256: hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))) };
    const begins = hex(bytes.subarray(0, 4));
    return /^(ffd8ff|89504e47)/.test(begins) ? { ...answer, begins } : answer;
  }
  globalThis.call = async (method, options, settings) => {
    const client = new DICOMwebClient.api.DICOMwebClient({ url, verbose: false, ...settings });
    if (options.datasets) options.datasets = options.datasets.map(b => Uint8Array.from(atob(b), c => c.charCodeAt(0)).buffer);
    try {
      const answer = await client[method](options);
      return typeof answer === 'string' && method === 'storeInstances' ? JSON.parse(answer) : told(answer);
    } catch (e) {
      throw new Error(`${method}: ${e.status ?? e.message}`);
    }
  };
}
