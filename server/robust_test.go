package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// testImage is instance n of a series of a test's study, of side x side pixels, as a file.
func testImage(t *testing.T, study string, n, side int) (dicomweb.Ref, []byte) {
	t.Helper()
	ref := dicomweb.Ref{Study: uid.From("robust", study), Series: uid.From("robust", study, "1"), Instance: uid.From("robust", study, fmt.Sprint(n))}
	d := dicom.New()
	d.Set(tag.SOPClassUID, uid.MRImageStorage)
	d.Set(tag.SOPInstanceUID, ref.Instance)
	d.Set(tag.StudyInstanceUID, ref.Study)
	d.Set(tag.SeriesInstanceUID, ref.Series)
	d.Set(tag.PatientName, "Robust^Test")
	d.Set(tag.PatientID, "R1")
	d.Set(tag.Modality, "OT") // nothing to analyse
	d.Set(tag.InstanceNumber, n)
	d.Set(tag.ImageComments, strings.Repeat("metadata ", 1000))
	d.Set(tag.SamplesPerPixel, 1)
	d.Set(tag.PhotometricInterpretation, "MONOCHROME2")
	d.Set(tag.Rows, side)
	d.Set(tag.Columns, side)
	d.Set(tag.BitsAllocated, 16)
	d.Set(tag.BitsStored, 16)
	d.Set(tag.HighBit, 15)
	d.Set(tag.PixelRepresentation, 0)
	d.SetVR(tag.PixelData, dicom.OW, bytes.Repeat([]byte{byte(n), byte(n >> 8)}, side*side))
	var b bytes.Buffer
	if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatal(err)
	}
	return ref, b.Bytes()
}

// storeParts sends the files in one request and returns its status.
func storeParts(ctx context.Context, t *testing.T, root string, files ...[]byte) (*http.Response, error) {
	t.Helper()
	body, contentType := multipartOf(t, files...)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, root+"/dicom-web/studies", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	_, err = io.Copy(io.Discard, r.Body)
	return r, err
}

// body returns what a GET answers.
func body(ctx context.Context, t *testing.T, address, accept string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", address, r.Status, err)
	}
	return b
}

// incoming are the files that the node takes in just now.
func incoming(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(dir, "incoming"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return list
}

// until polls until ok, half a minute at most.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// TestReadersThatStopReading: more of them than the index has readers, each in the midst of an answer, keep nobody from
// storing, searching and reading.
func TestReadersThatStopReading(t *testing.T) {
	n := startNode(t, t.TempDir())
	const stored, side = 40, 512
	var files [][]byte
	var ref dicomweb.Ref
	for i := range stored {
		r, b := testImage(t, "slow", i+1, side)
		ref, files = r, append(files, b)
	}
	if r, err := storeParts(t.Context(), t, n.url(), files...); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("store: %v %v", r, err)
	}
	host := strings.TrimPrefix(n.url(), "http://")
	for i := range 24 {
		c, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.(*net.TCPConn).SetReadBuffer(4 << 10)
		path := []string{"", "/metadata", "/series/" + ref.Series}[i%3]
		fmt.Fprintf(c, "GET /dicom-web/studies/%s%s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n\r\n", ref.Study, path, host)
		if _, err := bufio.NewReaderSize(c, 16).ReadByte(); err != nil { // the answer began, and nothing more is read
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for i := range 20 {
		_, b := testImage(t, "slow", stored+i+1, 64)
		if r, err := storeParts(ctx, t, n.url(), b); err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("store beside readers that stopped: %v %v", r, err)
		}
		body(ctx, t, n.url()+"/dicom-web/studies/"+ref.Study+"/instances?limit=5", "application/dicom+json")
		body(ctx, t, n.url()+"/dicom-web/"+ref.Path()+"/frames/1", "multipart/related; type=application/octet-stream")
	}
}

// TestConnectionBrokenInMidStow: what was whole may be there, what was not is not, and nothing is left lying about.
func TestConnectionBrokenInMidStow(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir)
	host := strings.TrimPrefix(n.url(), "http://")
	for k, c := range []struct {
		name  string
		reset bool
		whole int // parts that are sent whole, of three
		more  int // bytes of the next
	}{
		{"closed in the first part", false, 0, 100_000},
		{"closed in the second part", false, 1, 100_000},
		{"reset in the third part", true, 2, 200_000},
		{"reset in the header of a part", true, 1, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			study := fmt.Sprint("broken", k)
			var files [][]byte
			var refs []dicomweb.Ref
			for i := range 3 {
				ref, b := testImage(t, study, i+1, 400)
				refs, files = append(refs, ref), append(files, b)
			}
			whole, contentType := multipartOf(t, files...)
			sent := whole.Bytes()
			if c.whole > 0 {
				last := files[c.whole-1]
				sent = sent[:bytes.Index(sent, last)+len(last)+c.more]
			} else {
				sent = sent[:c.more]
			}
			conn, err := net.Dial("tcp", host)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "POST /dicom-web/studies HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", host, contentType, whole.Len())
			conn.Write(sent)
			until(t, "taking in", func() bool {
				return len(incoming(t, dir)) > 0 || c.whole > 0 && len(instancesOf(t, n, refs[0].Study)) >= c.whole
			})
			if c.reset {
				conn.(*net.TCPConn).SetLinger(0)
			}
			conn.Close()
			until(t, "cleaning up", func() bool { return len(incoming(t, dir)) == 0 })
			found := instancesOf(t, n, refs[0].Study)
			if len(found) > c.whole {
				t.Errorf("%d instances are stored, %d were sent whole", len(found), c.whole)
			}
			for _, ref := range found {
				i := slices.Index(refs, ref)
				if i < 0 || !bytes.Equal(retrieved(t, n, ref), files[i]) {
					t.Errorf("%s is not as it was sent", ref.Path())
				}
			}
			// Sent again it is all there.
			if r, err := storeParts(t.Context(), t, n.url(), files...); err != nil || r.StatusCode != http.StatusOK {
				t.Fatalf("again: %v %v", r, err)
			}
			for i, ref := range refs {
				if !bytes.Equal(retrieved(t, n, ref), files[i]) {
					t.Errorf("again: %s is not as it was sent", ref.Path())
				}
			}
		})
	}
}

func instancesOf(t *testing.T, n *node, study string) (refs []dicomweb.Ref) {
	t.Helper()
	list, err := n.archive.Instances(t.Context(), dicomweb.Ref{Study: study})
	if err != nil && dicomweb.KindOf(err) != dicomweb.NotFound {
		t.Fatal(err)
	}
	for _, i := range list {
		refs = append(refs, i.Ref)
	}
	return refs
}
