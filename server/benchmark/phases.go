package benchmark

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
)

// Accept headers as the clients send them.
const (
	acceptJSON     = "application/dicom+json"
	acceptFrame    = "multipart/related; type=application/octet-stream; transfer-syntax=*" // OHIF's image loader
	acceptInstance = `multipart/related; type="application/dicom"; transfer-syntax=*`
	acceptJPEG     = "image/jpeg"
)

// OHIF's queries (its version 3.13); commas are not percent-encoded here, since some servers do not decode them.
const (
	studyFields  = "includefield=00081030,00080060,00080090,00100030"
	studyList    = "/studies?limit=101&offset=0&fuzzymatching=false&" + studyFields
	seriesFields = "includefield=00080021,00080031,0008103E,00200011"
)

// batch is how many instances a store request holds.
const batch = 10

// phase is one kind of request, measured by itself.
type phase struct {
	name, unit string
	first      []job // of the pass right after the store
	again      []job // of every other pass; none where the phase cannot be repeated
	optional   bool  // a server that lacks it is measured without
}

// plan are the phases over the large study and the list of small ones.
func plan(large study, small []study) []phase {
	list := []phase{
		{name: "store, batches of 10", unit: "instance", first: storeJobs(large.objects(), batch)},
		{name: "store, small studies", unit: "instance", first: storeStudies(small)},
	}
	objects := large.objects()
	var queries, pages, otherPages, seriesQueries, instanceQueries, metadata, instanceMetadata, instances, frames, rendered, opens, images []job
	page := func(offset int) job { // another one each time, which no server can have kept
		path := strings.Replace(studyList, "offset=0", fmt.Sprint("offset=", offset), 1)
		return one(1, request{path: path, accept: acceptJSON, gzip: true, check: items(min(101, len(small)+1-offset), "0020000D", "00081030")})
	}
	for i := range min(40, len(small)/2) {
		pages = append(pages, page(i+1))
		otherPages = append(otherPages, page(i+1+len(small)/2))
	}
	for range 40 {
		queries = append(queries, one(1, request{path: studyList, accept: acceptJSON, gzip: true, check: items(min(101, len(small)+1), "0020000D", "00081030")}))
		seriesQueries = append(seriesQueries, one(1, seriesRequest(large)))
	}
	for _, s := range large.series {
		at := "/" + s.ref.Path()
		instanceQueries = append(instanceQueries, one(1, request{path: at + "/instances", accept: acceptJSON, gzip: true, check: items(len(s.objects), "00080018")}))
		metadata = append(metadata, one(len(s.objects), metadataRequest(s)))
	}
	for _, o := range objects {
		at := "/" + o.ref.Path()
		instanceMetadata = append(instanceMetadata, one(1, request{path: at + "/metadata", accept: acceptJSON, gzip: true, check: items(1, "00080018", "00280010")}))
		instances = append(instances, one(1, request{path: at, accept: acceptInstance, check: single(sha256.Sum256(o.part10))}))
		frames = append(frames, one(1, frameRequest(o)))
	}
	for i := 0; i < len(objects); i += 6 {
		rendered = append(rendered, one(1, request{path: "/" + objects[i].ref.Path() + "/rendered", accept: acceptJPEG, check: picture(objects[i].side)}))
	}
	for range 4 {
		opens = append(opens, opening(large))
		images = append(images, firstImages(large))
	}
	return append(list,
		phase{name: "studies, first 101", unit: "query", first: queries, again: queries},
		phase{name: "studies, any 101", unit: "query", first: pages, again: otherPages},
		phase{name: "series of a study", unit: "query", first: seriesQueries, again: seriesQueries},
		phase{name: fmt.Sprintf("instances of a series (%d)", len(large.series[0].objects)), unit: "query", first: instanceQueries, again: twice(instanceQueries)},
		phase{name: "series metadata", unit: "instance", first: metadata, again: twice(metadata)},
		phase{name: "instance metadata", unit: "instance", first: instanceMetadata, again: instanceMetadata},
		phase{name: "instance", unit: "instance", first: instances, again: instances},
		phase{name: "frame 1", unit: "frame", first: frames, again: frames},
		phase{name: "rendered JPEG", unit: "picture", first: rendered, again: rendered, optional: true},
		phase{name: "OHIF opens the study", unit: "request", first: opens, again: opens},
		phase{name: "OHIF's first images", unit: "frame", first: images, again: images},
	)
}

func twice(jobs []job) []job { return append(append([]job{}, jobs...), jobs...) }

// storeJobs stores the objects in requests of n each.
func storeJobs(objects []object, n int) (jobs []job) {
	for len(objects) > 0 {
		k := min(n, len(objects))
		jobs, objects = append(jobs, storeJob(objects[:k])), objects[k:]
	}
	return jobs
}

// storeStudies stores each study in a request of its own.
func storeStudies(list []study) (jobs []job) {
	for _, s := range list {
		jobs = append(jobs, storeJob(s.objects()))
	}
	return jobs
}

func storeJob(objects []object) job {
	var b pieces
	w := related.NewWriter(&b)
	for _, o := range objects {
		w.Part(related.Header{Type: mediatype.New(mediatype.DICOM)}) // pieces take everything
		b.add(o.part10)
	}
	w.Close()
	return one(len(objects), request{
		path: "/studies", accept: acceptJSON, contentType: w.ContentType(mediatype.New(mediatype.DICOM)),
		body: b.list, size: b.size, check: stored(len(objects)),
	})
}

// pieces is a body in parts, so that instances are not copied.
type pieces struct {
	list []io.ReaderAt
	size int64
}

func (p *pieces) add(b []byte) {
	p.list, p.size = append(p.list, bytes.NewReader(b)), p.size+int64(len(b))
}

func (p *pieces) Write(b []byte) (int, error) {
	p.add(bytes.Clone(b))
	return len(b), nil
}

func seriesRequest(s study) request {
	return request{path: "/" + s.ref.Path() + "/series?" + seriesFields, accept: acceptJSON, gzip: true, check: items(len(s.series), "0020000E", "0008103E", "00200011")}
}

func metadataRequest(s series) request {
	return request{path: "/" + s.ref.Path() + "/metadata", accept: acceptJSON, gzip: true, check: items(len(s.objects), "00080018", "00280010", "00200032")}
}

func frameRequest(o object) request {
	return request{path: "/" + o.ref.Path() + "/frames/1", accept: acceptFrame, check: single(o.pixels)}
}

// browserFrame is frameRequest as a browser sends it.
func browserFrame(o object) request {
	r := frameRequest(o)
	r.gzip = true
	return r
}

// opening is what OHIF asks before the first image: the study twice, its series, and the metadata of all series at once.
func opening(s study) job {
	query := request{path: "/studies?StudyInstanceUID=" + s.ref.Study + "&limit=101&offset=0&fuzzymatching=false&" + studyFields, accept: acceptJSON, gzip: true, check: items(1, "0020000D")}
	j := job{steps: [][]request{{query}, {query}, {seriesRequest(s)}, nil}}
	for _, e := range s.series {
		j.steps[3] = append(j.steps[3], metadataRequest(e))
	}
	j.units = 3 + len(s.series)
	return j
}

// firstImages is what OHIF asks then: the middle image of each series for its list, and the first series' images.
func firstImages(s study) job {
	var middle, first []request
	for _, e := range s.series {
		middle = append(middle, browserFrame(e.objects[len(e.objects)/2]))
	}
	for _, o := range s.series[0].objects {
		first = append(first, browserFrame(o))
	}
	return job{steps: [][]request{middle, first}, units: len(middle) + len(first)}
}
