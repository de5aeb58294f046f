// A node with phantom studies, started the way a user starts it: only the built program's own commands.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import path from 'node:path';

const run = promisify(execFile);

// serve starts a node over the archive data, which analyses what was quiet for settle; stop ends it.
export async function serve(program, data, settle) {
  const node = spawn(program, ['serve', '--addr', '127.0.0.1:0', '--data', data, '--settle', settle], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(node, 'exit');
  return {
    url: await announced(node),
    async stop() {
      node.kill('SIGTERM');
      await ended;
    },
  };
}

// start installs the viewer (from the file ohif, else with npm) below folder and starts a node there. push(vendor)
// stores a phantom study, once, and answers what the node has to say of it once it is analysed; stop ends the node.
export async function start(program, folder, ohif) {
  const data = path.join(folder, 'data');
  await run(program, ['viewer', 'install', '--data', data, ...(ohif ? ['--from', ohif] : [])]);
  const { url, stop } = await serve(program, data, '1s');

  const pushed = new Map();
  async function push(vendor) {
    const study = path.join(folder, vendor);
    await run(program, ['phantom', '--resolution', 'small', '--vendor', vendor, '-o', study]);
    const { stdout } = await run(program, ['push', study, '--to', `${url}/dicom-web`]);
    return analysed(url, stdout.match(/studies\/([0-9.]+)/)[1]);
  }
  const pushOnce = vendor => pushed.get(vendor) ?? pushed.set(vendor, push(vendor)).get(vendor);

  return {
    url,
    push: pushOnce,
    // answer is the study with its findings and series.
    async answer(vendor) {
      const { study } = await pushOnce(vendor);
      const { lesions } = await json(`${url}/study/${study}/findings.json`);
      const series = await json(`${url}/dicom-web/studies/${study}/series?includefield=SeriesDescription`);
      return { study, lesions, series: series.map(s => ({ uid: s['0020000E'].Value[0], description: s['0008103E']?.Value?.[0] ?? '' })) };
    },
    stop,
  };
}

async function json(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${answer.status}: ${address}`);
  return answer.json();
}

async function announced(node) {
  for await (const line of createInterface({ input: node.stdout })) {
    const found = line.match(/DICOMweb +(http:\S+)\/dicom-web/);
    if (found) {
      node.stdout.resume();
      return found[1];
    }
  }
  throw new Error('the node did not say where it listens');
}

async function analysed(url, study) {
  for (const limit = Date.now() + 300_000; Date.now() < limit; await pause(250)) {
    const answer = await fetch(`${url}/jobs/${study}`);
    const job = answer.ok ? await answer.json() : {};
    if (job.state === 'failed') throw new Error(`analysis of ${study} failed: ${job.reason}`);
    if (job.state === 'done') return job;
  }
  throw new Error(`analysis of ${study} did not end in five minutes`);
}
