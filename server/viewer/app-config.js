// Settings of OHIF (https://docs.ohif.org/configuration), answered by the node with nodePath in front: the path of its
// root. The viewer talks to the node that served it, by the name that the browser has for it.
const dicomWeb = `${window.location.origin}${nodePath}/dicom-web`;

// The breasts and their tissue are segments too: filled, they tint what lies in them. The panel's settings still fill them.
const outlines = {
  id: 'node-segment-outlines',
  onModeEnter({ servicesManager }) {
    const style = { renderOutline: true, renderOutlineInactive: true, renderFill: false, renderFillInactive: false };
    servicesManager.services.segmentationService.setStyle({ type: 'Labelmap' }, style);
  },
};

window.config = {
  routerBasename: `${nodePath}/viewer`,
  extensions: [outlines],
  modes: [],
  customizationService: [{ 'ohif.tours': { $set: [] } }], // the tour dims the images that somebody wants to see
  showStudyList: true,
  disableConfirmationPrompts: true, // a link to a segmentation opens it
  maxNumberOfWebWorkers: 3,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: true,
  strictZSpacingForVolumeViewport: true,
  maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 25 },
  httpErrorHandler: error => console.warn(error),
  defaultDataSourceName: 'node',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'node',
      configuration: {
        friendlyName: 'This node',
        name: 'node',
        qidoRoot: dicomWeb,
        wadoRoot: dicomWeb,
        wadoUriRoot: dicomWeb,
        qidoSupportsIncludeField: true,
        supportsReject: false,
        supportsFuzzyMatching: true,
        supportsWildcard: true,
        supportsStow: true,
        dicomUploadEnabled: true,
        enableStudyLazyLoad: true,
        imageRendering: 'wadors',
        thumbnailRendering: 'wadors', // the middle frame, decoded by the viewer itself
        singlepart: 'bulkdata,video,pdf',
        bulkDataURI: { enabled: true, relativeResolution: 'studies' },
        omitQuotationForMultipartRequest: true,
      },
    },
  ],
};
