package web_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/server/web"
)

// benchNode is a node over HTTP that holds a series of n images of 416 x 416 pixels of 16 bits, as breast MRI has them.
func benchNode(b *testing.B, n int) string {
	b.Helper()
	a, err := archive.Open(context.Background(), archive.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.Close() })
	for i := range n {
		if _, err := a.Put(context.Background(), strings.NewReader(benchImage(b, i+1)), archive.PutOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	s, err := web.New(web.Config{Archive: a})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(s)
	b.Cleanup(server.Close)
	return server.URL + "/dicom-web"
}

func benchImage(b *testing.B, number int) string {
	b.Helper()
	d := object{number: number}.dataset()
	d.Set(tag.Rows, 416)
	d.Set(tag.Columns, 416)
	d.Set(tag.NumberOfFrames, 1)
	d.SetVR(tag.PixelData, dicom.OW, make([]byte, 416*416*2))
	var out strings.Builder
	if err := dicom.Write(&out, d, "1.2.840.10008.1.2.1"); err != nil {
		b.Fatal(err)
	}
	return out.String()
}

func benchGet(b *testing.B, url, accept string) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, _ := http.NewRequest("GET", url, nil)
			req.Header.Set("Accept", accept)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			n, err := io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != 200 {
				b.Errorf("%s: %s after %d bytes, %v", url, resp.Status, n, err)
				return
			}
			b.SetBytes(n)
		}
	})
}

func BenchmarkFrame(b *testing.B) {
	benchGet(b, benchNode(b, 1)+instance+".1/frames/1", "multipart/related; type=application/octet-stream; transfer-syntax=*")
}

func BenchmarkInstance(b *testing.B) {
	benchGet(b, benchNode(b, 1)+instance+".1", `multipart/related; type="application/dicom"`)
}

func BenchmarkSeriesMetadata(b *testing.B) {
	benchGet(b, benchNode(b, 150)+"/studies/"+study+"/series/"+series+"/metadata", "application/dicom+json")
}

func BenchmarkSearchInstances(b *testing.B) {
	benchGet(b, benchNode(b, 150)+"/studies/"+study+"/series/"+series+"/instances", "application/dicom+json")
}

// BenchmarkSearchStudies asks for the first page of 300 studies as OHIF does.
func BenchmarkSearchStudies(b *testing.B) {
	a, err := archive.Open(context.Background(), archive.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.Close() })
	for i := range 300 {
		var file bytes.Buffer
		d := object{study: fmt.Sprintf("1.2.3.%d", i), series: fmt.Sprintf("1.2.4.%d", i), number: 1, patient: fmt.Sprintf("Phantom^%d", i)}.dataset()
		if err := dicom.Write(&file, d, "1.2.840.10008.1.2.1"); err != nil {
			b.Fatal(err)
		}
		if _, err := a.Put(context.Background(), &file, archive.PutOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	s, err := web.New(web.Config{Archive: a})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(s)
	b.Cleanup(server.Close)
	benchGet(b, server.URL+"/dicom-web/studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030", "application/dicom+json")
}

// BenchmarkStore stores requests of ten new instances each, from as many sides as there are processors; the time is that of
// a request.
func BenchmarkStore(b *testing.B) {
	url := benchNode(b, 0) + "/studies"
	placeholder := []byte(series + ".1234567")
	image := []byte(benchImage(b, 1234567))
	if !bytes.Contains(image, placeholder) {
		b.Fatal("the image does not hold its UID")
	}
	const each = 10
	var n atomic.Int64
	b.SetBytes(int64(each * len(image)))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			var body bytes.Buffer
			for range each {
				other := fmt.Appendf(nil, "%s.%d", series, 2_000_000+n.Add(1))
				body.WriteString("--b\r\nContent-Type: application/dicom\r\n\r\n")
				body.Write(bytes.ReplaceAll(image, placeholder, other))
				body.WriteString("\r\n")
			}
			body.WriteString("--b--\r\n")
			resp, err := http.Post(url, `multipart/related; type="application/dicom"; boundary=b`, &body)
			if err != nil {
				b.Error(err)
				return
			}
			answer, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 200 {
				b.Errorf("store: %s %.200s", resp.Status, answer)
				return
			}
		}
	})
}
