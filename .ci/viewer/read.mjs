// Reads a result as OHIF does: the SR, the SEG and the Parametric Map go through the loaders of @cornerstonejs/adapters.
// usage: node read.mjs DIR, with sr.dcm, viewer.dcm, seg.dcm, labelmap.dcm and source.json (the images they refer to), pm.dcm
// and map.json (its images) in DIR. Prints what a viewer would draw, as JSON, for server/report's test to compare.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { data } from 'dcmjs';
import { metaData, utilities } from '@cornerstonejs/core';
import { adaptersPMAP, adaptersSEG, adaptersSR } from '@cornerstonejs/adapters';

const dir = process.argv[2];
let source, imageIds;

// use takes the images that a file lists for the source.
function use(name) {
  source = JSON.parse(readFileSync(join(dir, name), 'utf8'));
  imageIds = source.images.map((_, n) => `test:${n}`);
}

// What OHIF's metadata provider answers for a source image.
function provide(type, imageId) {
  const image = source.images[Number(imageId?.split(':')[1])];
  if (!image) return undefined;
  switch (type) {
    case 'imagePlaneModule':
      return {
        rows: source.rows, columns: source.columns,
        rowCosines: source.orientation.slice(0, 3), columnCosines: source.orientation.slice(3),
        imageOrientationPatient: source.orientation, imagePositionPatient: image.position,
        rowPixelSpacing: source.spacing[0], columnPixelSpacing: source.spacing[1],
        pixelSpacing: source.spacing, frameOfReferenceUID: source.frameOfReference, sliceThickness: source.thickness,
      };
    case 'imagePixelModule':
      return { bitsAllocated: 16, bitsStored: 16, highBit: 15, pixelRepresentation: 0, samplesPerPixel: 1, photometricInterpretation: 'MONOCHROME2', rows: source.rows, columns: source.columns };
    case 'frameOfReferenceModule':
      return { frameOfReferenceUID: source.frameOfReference };
    case 'generalSeriesModule':
      return { seriesInstanceUID: source.series, modality: 'MR' };
    case 'generalImageModule':
    case 'sopCommonModule':
      return { sopInstanceUID: image.uid, sopClassUID: source.class };
    case 'instance':
      return {
        SOPInstanceUID: image.uid, SOPClassUID: source.class, SeriesInstanceUID: source.series, Rows: source.rows, Columns: source.columns,
        ImagePositionPatient: image.position, ImageOrientationPatient: source.orientation, PixelSpacing: source.spacing,
        FrameOfReferenceUID: source.frameOfReference,
      };
  }
  return undefined;
}
metaData.addProvider(provide, 1e6);
const metadataProvider = { get: provide };

function file(name) {
  const b = readFileSync(join(dir, name));
  return b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength);
}

function dataset(name) {
  const d = data.DicomMessage.readFile(file(name));
  const set = data.DicomMetaDictionary.naturalizeDataset(d.dict);
  set._meta = data.DicomMetaDictionary.namifyDataset(d.meta);
  return set;
}

// measurements are what the viewer lists and draws of an SR.
function measurements(name) {
  const ids = Object.fromEntries(source.images.map((image, n) => [`${image.uid}:1`, imageIds[n]]));
  const state = adaptersSR.Cornerstone3D.MeasurementReport.generateToolState(dataset(name), ids, metadataProvider);
  return Object.entries(state).flatMap(([tool, list]) => list.map(m => ({
    tool, label: m.annotation.data.label, finding: m.finding?.CodeMeaning, site: m.findingSites?.[0]?.CodeMeaning, uid: m.TrackingUniqueIdentifier,
    image: m.annotation.metadata.referencedImageId,
    points: tool === 'Bidirectional' ? m.annotation.data.handles.points : m.annotation.data.contour.polyline,
    closed: m.annotation.data.contour?.closed,
    stats: Object.values(m.annotation.data.cachedStats ?? {})[0],
  })));
}

// voxels counts the voxels of each segment, by its label.
async function voxels(name) {
  const r = await adaptersSEG.Cornerstone3D.Segmentation.createFromDICOMSegBuffer(imageIds, file(name), { metadataProvider });
  const counts = {};
  for (const images of r.labelMapImages) {
    for (const image of images) {
      for (const v of image.voxelManager.getScalarData()) if (v) counts[v] = (counts[v] ?? 0) + 1;
    }
  }
  const out = {};
  for (const s of r.segMetadata.data) if (s && s.SegmentNumber > 0) out[s.SegmentLabel] = counts[s.SegmentNumber] ?? 0;
  return out;
}

// values sums up what the viewer lays over the source.
async function values() {
  const { pixelData } = await adaptersPMAP.Cornerstone3D.ParametricMap.generateToolState(imageIds, file('pm.dcm'), metadataProvider);
  let sum = 0, count = 0;
  for (const v of pixelData) if (v) { sum += v; count++; }
  return { length: pixelData.length, count, sum };
}

utilities.logger?.setLevel?.('silent');
const log = console.log;
console.log = console.info = console.warn = (...args) => console.error(...args);
use('source.json');
const result = { main: measurements('sr.dcm').length, measurements: measurements('viewer.dcm'), seg: await voxels('seg.dcm'), labelMap: await voxels('labelmap.dcm') };
use('map.json');
result.map = await values();
log(JSON.stringify(result));
process.exit(0);
