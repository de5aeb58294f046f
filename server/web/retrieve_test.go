package web_test

import (
	"bytes"
	"strings"
	"testing"

	"mome/dicomweb/dicom"

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
