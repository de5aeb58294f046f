package web_test

import (
	"bytes"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"

	"mome/dicomweb/dicom/uid"
	"mome/server/web"
)

const instance = "/studies/" + study + "/series/" + series + "/instances/" + series

func TestRetrieveInstances(t *testing.T) {
	n := start(t, web.Config{})
	one := object{number: 1}.bytes(t)
	two := object{number: 2, syntax: uid.ImplicitVRLittleEndian}.bytes(t)
	n.store(one, two)
	explicitTwo := object{number: 2}.bytes(t)
	const stored, explicit = `multipart/related; type="application/dicom"; transfer-syntax=*`, `multipart/related; type="application/dicom"`
	for _, c := range []struct {
		name, path, accept string
		status             int
		want               [][]byte
	}{
		{"study as stored", "/studies/" + study, stored, 200, [][]byte{one, two}},
		{"study, default", "/studies/" + study, explicit, 200, [][]byte{one, explicitTwo}},
		{"study, no Accept", "/studies/" + study, "", 200, [][]byte{one, explicitTwo}},
		{"study, one transfer syntax", "/studies/" + study, explicit + "; transfer-syntax=" + uid.ImplicitVRLittleEndian, 206, [][]byte{two}},
		{"series", "/studies/" + study + "/series/" + series, stored, 200, [][]byte{one, two}},
		{"instance, unquoted", instance + ".1", `multipart/related; type=application/dicom; transfer-syntax=*`, 200, [][]byte{one}},
		{"instance, quoted star", instance + ".2", `multipart/related; type="application/dicom"; transfer-syntax="*"`, 200, [][]byte{two}},
		{"implicit as explicit", instance + ".2", explicit, 200, [][]byte{explicitTwo}},
		{"any", instance + ".1", "*/*", 200, [][]byte{one}},
		{"first entry impossible", instance + ".1", explicit + `; transfer-syntax=1.2.840.10008.1.2.4.90, ` + stored, 200, [][]byte{one}},
		{"single part", instance + ".1", "application/dicom", 200, [][]byte{one}},
		{"single part, made explicit", instance + ".2", "application/dicom", 200, [][]byte{explicitTwo}},
		{"single part as stored", instance + ".2", "application/dicom; transfer-syntax=*", 200, [][]byte{two}},
		{"accept in the query", instance + ".2?accept=application/dicom;transfer-syntax=*", "text/html", 200, [][]byte{two}},
		{"single part of a study", "/studies/" + study, "application/dicom", 406, nil},
		{"html", instance + ".1", "text/html", 406, nil},
		{"unknown transfer syntax", instance + ".1", explicit + "; transfer-syntax=1.2.3", 406, nil},
		{"unknown study", "/studies/9.9", stored, 404, nil},
		{"unknown series", "/studies/" + study + "/series/9.9", stored, 404, nil},
		{"unknown instance", instance + ".9", stored, 404, nil},
		{"instance under another series", "/studies/" + study + "/series/1.2.3/instances/" + series + ".1", stored, 404, nil},
		{"malformed UID", "/studies/1.2.x", stored, 400, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var header []string
			if c.accept != "" {
				header = []string{"Accept: " + c.accept}
			}
			got := n.get(c.path, header...)
			if got.StatusCode != c.status {
				t.Fatalf("%s %.200s, want %d", got.Status, got.body, c.status)
			}
			if c.want == nil {
				if ct := got.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/problem+json") && !strings.HasPrefix(ct, "text/plain") {
					t.Errorf("an error as %s", ct)
				}
				return
			}
			parts, types := [][]byte{got.body}, []string{got.Header.Get("Content-Type")}
			if strings.HasPrefix(types[0], "multipart/") {
				parts, types, _ = got.parts(t)
			}
			if len(parts) != len(c.want) {
				t.Fatalf("%d parts, want %d", len(parts), len(c.want))
			}
			for i, want := range c.want {
				if !bytes.Equal(parts[i], want) {
					t.Errorf("part %d: %d bytes differ from the %d wanted", i, len(parts[i]), len(want))
				}
				f, err := dicom.Scan(bytes.NewReader(parts[i]), int64(len(parts[i])), dicom.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if want := "application/dicom; transfer-syntax=" + f.TransferSyntax; types[i] != want {
					t.Errorf("part %d is %s, want %s", i, types[i], want)
				}
			}
			if got.ContentLength < 0 && c.want[0] != nil && len(c.want) == 1 {
				t.Error("no Content-Length")
			}
			head := n.do("HEAD", c.path, nil, header...)
			if head.StatusCode != c.status || len(head.body) != 0 || head.ContentLength >= 0 && head.ContentLength != got.ContentLength {
				t.Errorf("HEAD: %s, length %d, want %d and %d", head.Status, head.ContentLength, c.status, got.ContentLength)
			}
		})
	}
}

func TestRetrieveRange(t *testing.T) {
	n := start(t, web.Config{})
	one := object{number: 1}.bytes(t)
	n.store(one)
	got := n.get(instance+".1", "Accept: application/dicom", "Range: bytes=128-131")
	if got.StatusCode != 206 || string(got.body) != "DICM" {
		t.Errorf("%s %q, want 206 DICM", got.Status, got.body)
	}
	etag := n.get(instance+".1", "Accept: application/dicom").Header.Get("ETag")
	if got = n.get(instance+".1", "Accept: application/dicom", "If-None-Match: "+etag); got.StatusCode != 304 {
		t.Errorf("If-None-Match %s: %s, want 304", etag, got.Status)
	}
}

func TestFramesAndBulkDataOverHTTP(t *testing.T) {
	n := start(t, web.Config{})
	n.store(object{number: 1}.bytes(t))
	first, second := pixels[:8], pixels[8:]
	for _, c := range []struct {
		path   string
		status int
		want   [][]byte
	}{
		{"/frames/1", 200, [][]byte{first}},
		{"/frames/2,1", 200, [][]byte{second, first}},
		{"/frames/2%2C1", 200, [][]byte{second, first}},
		{"/frames/2/", 200, [][]byte{second}},
		{"/bulkdata/7FE00010", 200, [][]byte{pixels}},
		{"/bulkdata", 200, [][]byte{pixels}},
		{"/pixeldata", 200, [][]byte{pixels}},
		{"/bulkdata/7FE00010/0/00100010", 404, nil},
		{"/frames/3", 404, nil},
		{"/frames/0", 400, nil},
	} {
		got := n.get(instance+".1"+c.path, "Accept: multipart/related; type=application/octet-stream; transfer-syntax=*")
		if got.StatusCode != c.status {
			t.Errorf("%s: %s %s, want %d", c.path, got.Status, got.body, c.status)
			continue
		}
		if c.want == nil {
			continue
		}
		parts, types, locations := got.parts(t)
		if len(parts) != len(c.want) || got.ContentLength < 0 || locations[0] == "" {
			t.Errorf("%s: %d parts at %v, length %d, want %d parts", c.path, len(parts), locations, got.ContentLength, len(c.want))
			continue
		}
		for i := range parts {
			if !bytes.Equal(parts[i], c.want[i]) || types[i] != "application/octet-stream; transfer-syntax="+uid.ExplicitVRLittleEndian {
				t.Errorf("%s: part %d is %x as %s, want %x", c.path, i, parts[i], types[i], c.want[i])
			}
		}
		if !bytes.Contains(got.body[:200], []byte("\r\nContent-Type: application/octet-stream")) {
			t.Errorf("%s: the part header is spelled %q", c.path, got.body[:200])
		}
	}
	bulk := n.get(instance + ".1/metadata").json(t)[0].Get(tag.PixelData)
	if bulk == nil || bulk.BulkDataURI == "" {
		t.Fatalf("pixel data in the metadata: %+v", bulk)
	}
	if got := n.get(bulk.BulkDataURI, "Accept: application/octet-stream", "Range: bytes=2-3"); got.StatusCode != 206 || !bytes.Equal(got.body, pixels[2:4]) {
		t.Errorf("%s: %s %x, want bytes 2 and 3", bulk.BulkDataURI, got.Status, got.body)
	}
}
