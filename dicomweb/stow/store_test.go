package stow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/stow"
)

// file returns an instance as a DICOM file of some hundred bytes and size bytes of pixels.
func file(t testing.TB, instance, patient string, size int) string {
	t.Helper()
	d := imageOf(instance, func(d *dicom.Dataset) {
		d.Set(tag.PatientName, patient)
		d.SetVR(tag.PixelData, dicom.OW, make([]byte, size))
	})
	var b bytes.Buffer
	if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// send posts a body and returns the answer.
func send(t testing.TB, s *stow.Service, contentType string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("POST", "/", body)
	r.Header.Set("Content-Type", contentType)
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	if err := s.Store(w, r, dicomweb.Ref{}); err != nil {
		w.Code = dicomweb.KindOf(err).Status()
		w.Body.WriteString(err.Error())
	}
	return w
}

func TestAnswerAsXML(t *testing.T) {
	body := multipart("store 1.2", "kept 1.2", "x")
	for accept, want := range map[string]string{
		"application/dicom+xml":                           "application/dicom+xml",
		`multipart/related; type="application/dicom+xml"`: "multipart/related",
		"application/dicom+json":                          "application/dicom+json",
		"application/json":                                "application/json",
		"":                                                "application/dicom+json",
		"*/*":                                             "application/dicom+json",
		"application/dicom+xml;q=0.5, application/json;q=0.25": "application/dicom+xml",
	} {
		w := send(t, service(t, &script{}), related, strings.NewReader(body), "Accept: "+accept)
		media := w.Header().Get("Content-Type")
		if w.Code != 202 || !strings.HasPrefix(media, want) || w.Header().Get("Content-Length") != fmt.Sprint(w.Body.Len()) {
			t.Errorf("Accept %s: %d %s", accept, w.Code, media)
			continue
		}
		if !strings.Contains(media, "xml") {
			continue
		}
		doc := w.Body.String()
		if i := strings.Index(doc, "<?xml"); i >= 0 {
			doc = doc[i : strings.LastIndex(doc, ">")+1]
		}
		d, err := dicom.ParseXML(strings.NewReader(doc), dicom.Limits{})
		if err != nil {
			t.Fatalf("Accept %s: %v in %s", accept, err, w.Body)
		}
		stored, failed := d.Items(tag.ReferencedSOPSequence), d.Items(tag.FailedSOPSequence)
		if len(stored) != 2 || len(failed) != 1 || stored[1].IntOr(tag.WarningReason, 0) != 0xB000 || failed[0].IntOr(tag.FailureReason, 0) != 0xC000 ||
			stored[0].String(tag.RetrieveURL) != "http://node/dicom-web/studies/1.2/series/1.1/instances/1.1.1" {
			t.Errorf("Accept %s: %s", accept, doc)
		}
	}
	if w := send(t, service(t, &script{}), related, strings.NewReader(body), "Accept: text/html"); w.Code != 406 {
		t.Errorf("Accept text/html: %d", w.Code)
	}
}

func TestHeadersOfTheAnswer(t *testing.T) {
	for _, c := range []struct {
		name     string
		parts    []string
		location string
		warnings []string
	}{
		{"one instance", []string{"store 1.2"}, "/studies/1.2/series/1.1/instances/1.1.1", nil},
		{"one study", []string{"store 1.2", "store 1.2"}, "/studies/1.2", nil},
		{"two studies", []string{"store 1.2", "store 1.3"}, "", nil},
		{"nothing new", []string{"same 1.2"}, "", nil},
		{"kept", []string{"kept 1.2", "same 1.2"}, "", []string{"B000: other content is stored under the SOP Instance UIDs of 1 of 2 instances and was kept"}},
		{"replaced and failed", []string{"replaced 1.2", "x"}, "", []string{"B000: 1 of 2 instances replaced other content under their SOP Instance UIDs", "1 of 2 were not stored: see Failed SOP Sequence"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := send(t, service(t, &script{}), related, strings.NewReader(multipart(c.parts...))).Header()
			location := c.location
			if location != "" {
				location = "http://node/dicom-web" + location
			}
			if got := h.Get("Location"); got != location {
				t.Errorf("Location %q, want %q", got, location)
			}
			got := h.Values("Warning")
			for i, w := range c.warnings {
				c.warnings[i] = `299 http://node/dicom-web "` + w + `"`
			}
			if fmt.Sprint(got) != fmt.Sprint(c.warnings) {
				t.Errorf("warnings %q, want %q", got, c.warnings)
			}
		})
	}
}

// TestDuplicates: other content under a stored UID is kept out, replaces, or is refused, and always told; nothing stored
// is lost unless it was to be replaced.
func TestDuplicates(t *testing.T) {
	first, second := file(t, "1.2.3.4", "Phantom^One", 4), file(t, "1.2.3.4", "Phantom^Two", 4)
	for _, c := range []struct {
		name            string
		refuse, replace bool
		status          int
		want, patient   string
	}{
		{"keep", false, false, 202, `"00081196":{"vr":"US","Value":[45056]}`, "Phantom^One"},
		{"replace", false, true, 202, "was replaced", "Phantom^Two"},
		{"refuse", true, false, 409, `"00081197":{"vr":"US","Value":[273]}`, "Phantom^One"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := openNode(t, stow.Config{RefuseDuplicates: c.refuse}, archive.Config{Replace: c.replace})
			for range 2 { // the same bytes again are success
				if w := send(t, n.Service, related, strings.NewReader(multipart(first))); w.Code != 200 {
					t.Fatalf("first: %d %s", w.Code, w.Body)
				}
			}
			w := send(t, n.Service, related, strings.NewReader(multipart(second)))
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || w.Header().Get("Warning") == "" {
				t.Errorf("%d %s %q, want %d and %s", w.Code, w.Body, w.Header().Get("Warning"), c.status, c.want)
			}
			if got := n.only(t, "1.2.3.4").Dataset.String(tag.PatientName); got != c.patient {
				t.Errorf("stored is %s, want %s", got, c.patient)
			}
		})
	}
}

// TestLimitsAreNamed: who passes a limit gets 413 and learns which.
func TestLimitsAreNamed(t *testing.T) {
	three := multipart(file(t, "1.2.3.4", "A", 40_000), file(t, "1.2.3.5", "A", 40_000), file(t, "1.2.3.6", "A", 40_000))
	metadata := jsonPart(t, imageOf("1.2.3.4", func(d *dicom.Dataset) { d.SetVR(tag.PixelData, dicom.OW, make([]byte, 40_000)) }))[0].body
	for _, c := range []struct {
		name        string
		cfg         stow.Config
		instance    int64
		contentType string
		body        string
		stored      int
		text        string
	}{
		{"body", stow.Config{MaxBytes: 100_000}, 0, related, three, 2, "larger than the 100000 bytes"},
		{"body of one part", stow.Config{MaxBytes: 1000}, 0, "application/dicom", file(t, "1.2.3.4", "A", 2000), 0, "larger than the 1000 bytes"},
		{"parts", stow.Config{MaxParts: 2}, 0, related, three, 2, "more than the 2 parts"},
		{"instance", stow.Config{}, 30_000, related, three, 0, "more than 30000 bytes"},
		{"instance made of metadata", stow.Config{}, 30_000, "application/dicom+json", metadata, 0, "more than 30000 bytes"},
		{"instances of metadata", stow.Config{MaxParts: 2}, 0, "application/dicom+json", "[{},{},{}]", 0, "more than the 2 instances"},
		{"headers of bulk data", stow.Config{MaxMetadata: 20_000}, 0, ofJSON, bodyOf(part{"application/octet-stream", "/" + strings.Repeat("a", 12_000), "x"}, part{"application/octet-stream", "/" + strings.Repeat("b", 12_000), "x"}), 0, "more than the 20000 bytes of memory"},
		{"metadata", stow.Config{MaxMetadata: 20_000}, 0, "application/dicom+json", metadata, 0, "more memory than the limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := openNode(t, c.cfg, archive.Config{MaxInstanceBytes: c.instance})
			w := send(t, n.Service, c.contentType, strings.NewReader(c.body))
			told := w.Body.String() + strings.Join(w.Header().Values("Warning"), " ")
			if w.Code != 413 || !strings.Contains(told, c.text) {
				t.Errorf("%d %s, want 413 and %s", w.Code, told, c.text)
			}
			found, _ := n.archive.Instances(context.Background(), dicomweb.Ref{Study: "1.2"})
			if len(found) != c.stored {
				t.Errorf("%d are stored, want %d", len(found), c.stored)
			}
		})
	}
}

// TestNoSpace: a full disk ends the request with 503, says when to come again, and tells what was stored before.
func TestNoSpace(t *testing.T) {
	for _, parts := range [][]string{{"store 1.2", "full 1.2", "store 1.2"}, {"full 1.2"}} {
		a := &script{}
		s, err := stow.New(stow.Config{Archive: a, BaseURL: func(*http.Request) string { return "" }, RetryAfter: 90 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		w := send(t, s, related, strings.NewReader(multipart(parts...)))
		if w.Code != 503 || w.Header().Get("Retry-After") != "90" || len(a.studies) != len(parts)/2 {
			t.Errorf("%q: %d, Retry-After %q, %d stored", parts, w.Code, w.Header().Get("Retry-After"), len(a.studies))
		}
	}
}

// TestTheSameAtOnce: clients that send the same instances at the same time are all told of success, and each instance is
// there once.
func TestTheSameAtOnce(t *testing.T) {
	n := openNode(t, stow.Config{}, archive.Config{})
	var files []string
	for i := range 8 {
		files = append(files, file(t, fmt.Sprint("1.2.3.", i), "A", 1000))
	}
	var clients sync.WaitGroup
	for range 6 {
		clients.Go(func() {
			if w := send(t, n.Service, related, strings.NewReader(multipart(files...))); w.Code != 200 || strings.Count(w.Body.String(), "00081155") != len(files) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	clients.Wait()
	if found, err := n.archive.Instances(context.Background(), dicomweb.Ref{Study: "1.2"}); err != nil || len(found) != len(files) {
		t.Errorf("%d instances, %v, want %d", len(found), err, len(files))
	}
}

// TestSlowAndDying: a body may come byte by byte; one whose sender dies is answered by 400, with what was whole before
// told as stored, in both ways of storing.
func TestSlowAndDying(t *testing.T) {
	files := multipart(file(t, "1.2.3.4", "A", 100), file(t, "1.2.3.5", "A", 100))
	apart := bodyOf(append(jsonPart(t, imageOf("1.2.3.4", monochrome)), part{"application/octet-stream", "pixels", twelve})...)
	died := iotest.ErrReader(errors.New("connection reset"))
	for _, c := range []struct {
		name, contentType, body string
		stored                  int
	}{{"files", related, files, 1}, {"metadata", ofJSON, apart, 0}} {
		slow := openNode(t, stow.Config{}, archive.Config{})
		if w := send(t, slow.Service, c.contentType, iotest.OneByteReader(strings.NewReader(c.body))); w.Code != 200 {
			t.Errorf("%s byte by byte: %d %s", c.name, w.Code, w.Body)
		}
		n := openNode(t, stow.Config{}, archive.Config{})
		w := send(t, n.Service, c.contentType, io.MultiReader(strings.NewReader(c.body[:len(c.body)-60]), died))
		found, _ := n.archive.Instances(context.Background(), dicomweb.Ref{Study: "1.2"})
		if w.Code != 400 || !strings.Contains(w.Body.String(), "broke off") || len(found) != c.stored || strings.Count(w.Body.String(), "00081190") != 2*c.stored {
			t.Errorf("%s: %d %s, %d stored, want 400 and %d", c.name, w.Code, w.Body, len(found), c.stored)
		}
	}
}

// panicking is an archive with a programmer's error.
type panicking struct{}

func (panicking) Put(context.Context, io.Reader, archive.PutOptions) (archive.Receipt, error) {
	panic("slice bounds")
}

// TestPanicStaysInTheRequest: a panic comes out where the server of the request catches it.
func TestPanicStaysInTheRequest(t *testing.T) {
	defer func() {
		if p := fmt.Sprint(recover()); !strings.Contains(p, "slice bounds") || !strings.Contains(p, "panicking.Put") {
			t.Errorf("recovered %s, want the panic and its place", p)
		}
	}()
	send(t, service(t, panicking{}), related, strings.NewReader(multipart("a", "b")))
}
