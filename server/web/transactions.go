package web

import "mome/dicomweb/mediatype"

// Media types of answers that more than one transaction has.
const (
	typeJPEG = "image/jpeg"
	typeGIF  = "image/gif"
	typePNG  = "image/png"
	typeHTML = "text/html"
)

// partsOf returns the multipart type whose parts are of a media type.
func partsOf(media string) string {
	return mediatype.New(mediatype.Related, "type", media).String()
}

// transactions is what the transactions of PS3.18 cover, by their section. A row here is all that a route of a new
// transaction needs beside its row in Routes.
func transactions() map[string]Coverage {
	data := []string{mediatype.DICOMJSON, mediatype.JSON}
	model := []string{mediatype.DICOMJSON, mediatype.DICOMXML}
	one := []string{mediatype.DICOMJSON, mediatype.JSON, mediatype.DICOMXML} // data set
	return map[string]Coverage{
		"8.10.4": {Tests: []string{"dicomweb/ups.TestEventsOfOneWorkitem", "dicomweb/ups.TestChannelRefusals"}},
		"9": {
			Answers:    []string{typeJPEG, typePNG, typeGIF, mediatype.DICOM, typeHTML, "text/plain", "text/xml", "application/pdf", "video/*"},
			Parameters: uriParameters(),
			Tests:      []string{"server/web.TestURIParameters", "dicomweb/render.TestURI"},
		},
		"10.4.1.1.1": {
			Answers:    []string{partsOf(mediatype.DICOM), mediatype.DICOM, "application/zip"},
			Parameters: append(negotiation("server/web.TestRetrieveInstances"), ranges("server/web.TestRetrieveRange")...),
			Tests:      []string{"server/web.TestRetrieveInstances", "dicomweb/wado.TestExplicit", "dicomweb/wado.TestDecodedInstances", "dicomweb/wado.TestCompressed", "dicomweb/wado.TestZip"},
		},
		"10.4.1.1.2": {
			Answers: append(data, partsOf(mediatype.DICOMXML)),
			Parameters: append(negotiation("dicomweb/wado.TestMetadataRefuses"),
				Parameter{"If-None-Match", "header", "8.4", "304 while nothing changed", "dicomweb/wado.TestMetadataIsSentOnce"},
				Parameter{"Accept-Encoding", "header", "8.4", "gzip", "server/web.TestGzip"}),
			Tests: []string{"dicomweb/wado.TestMetadataIsWhole", "dicomweb/wado.TestMetadataInXML", "server/web.TestGzip"},
		},
		"10.4.1.1.3": {Answers: []string{typeJPEG, typePNG, typeGIF, typeHTML, "text/plain", "text/xml", "application/pdf", "video/*"}, Parameters: renderedParameters(), Tests: []string{"server/web.TestRenderedParameters", "dicomweb/render.TestRenderedAndThumbnails", "dicomweb/render.TestGrey", "dicomweb/render.TestColour", "dicomweb/render.TestSegmentsOverTheirSource"}},
		"10.4.1.1.4": {Answers: []string{typeJPEG, typePNG, typeGIF}, Parameters: thumbnailParameters(), Tests: []string{"server/web.TestThumbnailParameters", "dicomweb/render.TestRenderedAndThumbnails", "dicomweb/render.TestRepresentative"}},
		"10.4.1.1.5": {
			Answers:    []string{partsOf(mediatype.OctetStream), mediatype.OctetStream},
			Parameters: append(negotiation("server/web.TestFramesAndBulkDataOverHTTP"), Parameter{"Range", "header", "8.4", "part of a value", "server/web.TestFramesAndBulkDataOverHTTP"}),
			Tests:      []string{"server/web.TestFramesAndBulkDataOverHTTP", "dicomweb/wado.TestBulkDataURIsResolve", "dicomweb/wado.TestBulkDataOfCompressedPixels", "dicomweb/wado.TestAllBulkData", "dicomweb/wado.TestBulkDataForms"},
		},
		"10.4.1.1.6": {
			Answers:    []string{partsOf(mediatype.OctetStream), mediatype.OctetStream, partsOf("image/dicom-rle"), partsOf(typeJPEG), partsOf("image/jls")},
			Parameters: append(negotiation("dicomweb/wado.TestFrames"), ranges("dicomweb/wado.TestRangesOfFrames")...),
			Tests:      []string{"dicomweb/wado.TestFrames", "server/web.TestFramesAndBulkDataOverHTTP", "dicomweb/wado.TestCompressedFrames", "dicomweb/wado.TestPixelDataOfAnInstance"},
		},
		"10.5": {
			Takes:   append([]string{partsOf(mediatype.DICOM), mediatype.DICOM, partsOf(mediatype.DICOMJSON), partsOf(mediatype.DICOMXML)}, model...),
			Answers: append(data, mediatype.DICOMXML, partsOf(mediatype.DICOMXML)),
			Parameters: append(negotiation("server/web.TestStoreTellsWhatFailed"),
				Parameter{"Content-Type", "header", "8.7.1", "multipart or single part, however it is quoted", "server/web.TestStoreTakesWhatClientsSend"},
				Parameter{"Content-Encoding", "header", "8.4", "gzip", "server/web.TestStoreTakesWhatClientsSend"},
				Parameter{"Expect", "header", "RFC 9110", "100-continue", "server/web.TestStoreTakesWhatClientsSend"}),
			Tests: []string{"server/web.TestStoreTakesWhatClientsSend", "server/web.TestStoreTellsWhatFailed", "server/web.TestStoreKeepsTheFirstContent", "server/web.TestStoreWithoutSpace", "server/web.TestStoreFromAClientThatDies", "dicomweb/stow.TestStatusAndReasons",
				"dicomweb/stow.TestMetadataWithPixels", "dicomweb/stow.TestMetadataRefused", "dicomweb/stow.TestDescriptionComesFromTheStream", "dicomweb/stow.TestSinglePartOfMetadata", "dicomweb/stow.TestAnswerAsXML", "dicomweb/stow.TestDuplicates", "dicomweb/stow.TestLimitsAreNamed"},
		},
		"10.6": {Answers: append(data, partsOf(mediatype.DICOMXML)), Parameters: searchParameters(), Tests: []string{"server/web.TestSearch", "server/web.TestSearchNamesWhereToRetrieve", "server/web.TestPagingEnds", "dicomweb/qido.TestAnswer", "dicomweb/qido.TestAnswerAsXML", "dicomweb/qido.TestSearchOfResults", "dicomweb/qido.TestTooBroad"}},
		"11.4": {Takes: one, Tests: []string{"dicomweb/ups.TestCreate", "dicomweb/ups.TestBodies"},
			Parameters: []Parameter{{"workitem", "query", "11.4", "UID of the workitem, also by itself: ?1.2.3", "dicomweb/ups.TestCreate"}}},
		"11.5": {Answers: append(one, partsOf(mediatype.DICOMXML)), Tests: []string{"dicomweb/ups.TestRetrieveTellsNoTransactionUID", "dicomweb/ups.TestXML"}},
		"11.6": {Takes: one, Tests: []string{"dicomweb/ups.TestUpdate"},
			Parameters: []Parameter{{"transaction-uid", "query", "11.6", "that of the claim, also by itself: ?1.2.3", "dicomweb/ups.TestUpdate"}}},
		"11.7": {Takes: one, Tests: []string{"dicomweb/ups.TestTransitions"}},
		"11.8": {Takes: one, Tests: []string{"dicomweb/ups.TestRequestCancel"},
			Parameters: []Parameter{{"requester", "query", "11.8", "AE title of who asks", "dicomweb/ups.TestRequestCancel"}}},
		"11.9": {Answers: append(data, partsOf(mediatype.DICOMXML)), Tests: []string{"dicomweb/ups.TestSearch", "dicomweb/ups.TestXML"}, Parameters: []Parameter{
			{"{attribute}", "query", "8.3.4.1", "matching key", "dicomweb/ups.TestSearch"},
			{"includefield", "query", "8.3.4.3", "further attributes, or all", "dicomweb/ups.TestSearch"},
			{"limit", "query", "8.3.4.4", "at most so many results", "dicomweb/ups.TestSearch"},
			{"offset", "query", "8.3.4.4", "results to skip", "dicomweb/ups.TestSearch"},
		}},
		"11.10": {Tests: []string{"dicomweb/ups.TestSubscriptions", "dicomweb/ups.TestFilteredSubscription"}, Parameters: []Parameter{
			{"deletionlock", "query", "11.10", "true keeps final workitems until the lock is taken back", "dicomweb/ups.TestSubscriptions"},
			{"filter", "query", "11.10", "matching keys of a filtered subscription, separated by commas", "dicomweb/ups.TestFilteredSubscription"},
		}},
		"11.11": {Tests: []string{"dicomweb/ups.TestSubscriptions"}},
		"11.12": {Tests: []string{"dicomweb/ups.TestSubscriptions"}},
		"13.4": {
			Takes: one, Answers: one, Tests: []string{"dicomweb/commitment.TestVerdicts", "server/web.TestCommitmentOverHTTP"},
			Parameters: append(negotiation("dicomweb/commitment.TestMediaTypes"), Parameter{"Content-Type", "header", "8.7.3", "JSON or XML", "dicomweb/commitment.TestMediaTypes"}),
		},
		"13.5": {Answers: one, Tests: []string{"dicomweb/commitment.TestTransactions", "server/web.TestCommitmentOverHTTP"}, Parameters: negotiation("dicomweb/commitment.TestMediaTypes")},
	}
}

// own is what the node's own resources cover, by method and path.
func own() map[string]Coverage {
	const study = prefix + "/studies/{study}"
	deletion := Coverage{Tests: []string{"server/web.TestDelete", "server/web.TestDeleteIsOffByDefault"}}
	page := func(tests ...string) Coverage {
		return Coverage{Answers: []string{typeHTML}, Tests: tests, Parameters: []Parameter{{"lang", "query", "", "language: en, ko, zh", "server/web.TestPage"}}}
	}
	asJSON := func(tests ...string) Coverage { return Coverage{Answers: []string{mediatype.JSON}, Tests: tests} }
	jobs := asJSON("server/web.TestJobs")
	listed := jobs
	listed.Parameters = []Parameter{{"limit", "query", "", "at most so many", "server/web.TestJobs"}}
	viewer := Coverage{Answers: []string{typeHTML}, Tests: []string{"server/web.TestViewerIsMounted", "server/viewer.TestFiles"}}
	return map[string]Coverage{
		"DELETE " + study:                                           deletion,
		"DELETE " + study + "/series/{series}":                      deletion,
		"DELETE " + study + "/series/{series}/instances/{instance}": deletion,
		"GET " + prefix:                                             {Answers: []string{"text/plain"}, Tests: []string{"server/web.TestListing"}},
		"GET " + prefix + "/conformance":                            {Answers: []string{typeHTML, "text/markdown"}, Tests: []string{"server/web.TestConformanceStatement"}, Parameters: negotiation("server/web.TestConformanceStatement")},
		"GET /":                                                     page("server/web.TestPage"),
		"GET /study/{study}":                                        page("server/web.TestPage", "server/page.TestStudy"),
		"GET /study/{study}/findings.json":                          asJSON("server/page.TestPictureAndFindings"),
		"GET /study/{study}/pictures/{picture}":                     {Answers: []string{typePNG}, Tests: []string{"server/web.TestPage"}},
		"GET /favicon.ico":                                          {Answers: []string{"image/svg+xml"}, Tests: []string{"server/web.TestPage"}},
		"GET /jobs":                                                 listed,
		"GET /jobs/{study}":                                         jobs,
		"GET /viewer":                                               viewer,
		"GET /viewer/{path...}":                                     viewer,
		"GET /healthz":                                              asJSON("server/web.TestPreflightsStayOpen"),
		"GET /metrics":                                              {Answers: []string{metricsType}, Tests: []string{"server/web.TestMetrics"}},
	}
}
