// Parses DICOM files with dcmjs and names their attributes. usage: node parse.mjs FILE... Prints a JSON list of what each is,
// for server/report's test to compare.
import { readFileSync } from 'node:fs';
import { data } from 'dcmjs';

console.warn = console.info = console.debug = (...args) => console.error(...args);
const log = console.log;
console.log = console.error;

function described(path) {
  const b = readFileSync(path);
  const message = data.DicomMessage.readFile(b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength));
  const set = data.DicomMetaDictionary.naturalizeDataset(message.dict);
  const [name] = [set.PatientName].flat();
  const [pixels] = [set.PixelData ?? set.FloatPixelData ?? []].flat();
  return {
    SOPClassUID: set.SOPClassUID, SOPInstanceUID: set.SOPInstanceUID,
    PatientName: [name.Alphabetic, name.Ideographic, name.Phonetic].filter(Boolean).join('='),
    Content: set.ContentSequence ? [set.ContentSequence].flat().length : 0, Pixels: pixels?.byteLength ?? 0,
  };
}

log(JSON.stringify(process.argv.slice(2).map(described)));
