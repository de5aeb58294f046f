package web

// negotiation are the parameters by which a client chooses a media type.
func negotiation(test string) []Parameter {
	return []Parameter{
		{"Accept", "header", "8.4", "acceptable media types, with transfer syntaxes and weights", test},
		{"accept", "query", "8.3.3.1", "the same, before the header", "dicomweb/mediatype.TestAcceptInTheQueryWins"},
	}
}

// ranges are the parameters of a download that goes on.
func ranges(test string) []Parameter {
	return []Parameter{
		{"Range", "header", "RFC 9110", "part of a single instance", test},
		{"If-None-Match", "header", "8.4", "304 while nothing changed", test},
	}
}

func searchParameters() []Parameter {
	const parse, options, search = "dicomweb/query.TestParseKeys", "dicomweb/query.TestParseOptions", "server/web.TestSearch"
	return append([]Parameter{
		{"{attribute}", "query", "8.3.4.1", "matching key by keyword, tag, or path in a sequence", parse},
		{"fuzzymatching", "query", "8.3.4.2", "words of person names", options},
		{"includefield", "query", "8.3.4.3", "further attributes, or all", options},
		{"limit", "query", "8.3.4.4", "at most so many results; a Warning tells what remains", search},
		{"offset", "query", "8.3.4.4", "results to skip", search},
		{"emptyvaluematching", "query", "8.3.4.5", "\"\" finds attributes without a value", options},
		{"multiplevaluematching", "query", "8.3.4.6", "lists of values match with and without it", options},
		{"charset", "query", "8.3.3.2", "answers are in UTF-8; a Warning says so to who asks for another only", "dicomweb/query.TestCharset"},
	}, negotiation(search)...)
}

func renderedParameters() []Parameter {
	const test = "server/web.TestRenderedParameters"
	return append([]Parameter{
		{"annotation", "query", "8.3.5.1.1", "nothing is burned in; a Warning says so", test},
		{"quality", "query", "8.3.5.1.2", "of JPEG, 1 to 100", test},
		{"viewport", "query", "8.3.5.1.3", "size, and the part of the image that fills it", test},
		{"window", "query", "8.3.5.1.4", "centre, width and function", test},
		{"iccprofile", "query", "8.3.5.1.5", "whether a colour profile is in the image", test},
	}, negotiation(test)...)
}

func thumbnailParameters() []Parameter {
	const test = "server/web.TestThumbnailParameters"
	return append([]Parameter{{"viewport", "query", "8.3.5.1.3", "the size that it fits into", test}}, negotiation(test)...)
}

func uriParameters() []Parameter {
	const test = "server/web.TestURIParameters"
	return []Parameter{
		{"requestType", "query", "9.1.2.1.1", "WADO", test},
		{"studyUID", "query", "9.1.2.1.2", "of the instance", test},
		{"seriesUID", "query", "9.1.2.1.3", "of the instance", test},
		{"objectUID", "query", "9.1.2.1.4", "of the instance", test},
		{"contentType", "query", "9.1.2.2.1", "media types that are taken", test},
		{"transferSyntax", "query", "9.4.1", "of an instance as application/dicom", test},
		{"frameNumber", "query", "9.5.1", "frame of a multi-frame image", test},
		{"rows", "query", "9.5.1", "height that the image fits into", test},
		{"columns", "query", "9.5.1", "width that the image fits into", test},
		{"region", "query", "9.5.1", "part of the image", test},
		{"windowCenter", "query", "9.5.1", "with windowWidth", test},
		{"windowWidth", "query", "9.5.1", "with windowCenter", test},
		{"imageQuality", "query", "9.5.1", "of JPEG, 1 to 100", test},
	}
}
