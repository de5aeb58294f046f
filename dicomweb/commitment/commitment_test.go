package commitment_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/commitment"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

const study = "1.2.826.0.1.3680043.10.2"

// filled is an archive in dir with three instances of one series, number 3 with a damaged file.
func filled(t *testing.T, dir string) *archive.Archive {
	t.Helper()
	a, err := archive.Open(t.Context(), archive.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	for n := 1; n <= 3; n++ {
		d := dicom.New()
		d.Set(tag.SOPClassUID, uid.MRImageStorage)
		d.Set(tag.StudyInstanceUID, study)
		d.Set(tag.SeriesInstanceUID, study+".1")
		d.Set(tag.SOPInstanceUID, instance(n))
		d.Set(tag.Modality, "MR")
		d.Set(tag.ImageComments, fmt.Sprint("damage here: ", n))
		var b bytes.Buffer
		if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Put(t.Context(), &b, archive.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	damage(t, dir, "damage here: 3")
	return a
}

// damage changes a byte of the file that holds text, and leaves its length.
func damage(t *testing.T, dir, text string) {
	t.Helper()
	done := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(d.Name(), "index") || strings.Contains(d.Name(), "sqlite") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(b, []byte("DICM")) || !bytes.Contains(b, []byte(text)) {
			return err
		}
		done = true
		os.Chmod(path, 0o600)
		return os.WriteFile(path, bytes.Replace(b, []byte(text), []byte(strings.ToUpper(text)), 1), 0o600)
	})
	if err != nil || !done {
		t.Fatalf("no file was damaged: %v", err)
	}
}

func instance(n int) string { return fmt.Sprintf("%s.1.%d", study, n) }

// by is a request for instances on their own, class and instance in turn.
func by(pairs ...string) string {
	d := dicom.New()
	var items []*dicom.Dataset
	for i := 0; i < len(pairs); i += 2 {
		item := dicom.New()
		item.Set(tag.ReferencedSOPClassUID, pairs[i])
		item.Set(tag.ReferencedSOPInstanceUID, pairs[i+1])
		items = append(items, item)
	}
	d.SetItems(tag.ReferencedSOPSequence, items...)
	b, err := dicom.AppendJSON(nil, d, dicom.JSONOptions{})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// byStudy is a request for instances by study.
func byStudy(study string, class string, instances ...string) string {
	var refs []string
	for _, i := range instances {
		refs = append(refs, fmt.Sprintf(`{"00081155":{"vr":"UI","Value":[%q]}}`, i))
	}
	return fmt.Sprintf(`{"00081110":{"vr":"SQ","Value":[{"0020000D":{"vr":"UI","Value":[%q]},"00081115":{"vr":"SQ","Value":[{"0020000E":{"vr":"UI","Value":[%q]},"00081112":{"vr":"SQ","Value":[{"00081150":{"vr":"UI","Value":[%q]},"0008114A":{"vr":"SQ","Value":[%s]}}]}}]}}]}}`,
		study, study+".1", class, strings.Join(refs, ","))
}

func service(t *testing.T, cfg commitment.Config) *commitment.Service {
	t.Helper()
	s, err := commitment.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask makes a request and returns the answer, or the error that the caller would answer.
func ask(s *commitment.Service, method, transaction, body string, header ...string) (*httptest.ResponseRecorder, error) {
	r := httptest.NewRequest(method, "/commitment-requests/"+transaction, strings.NewReader(body))
	r.SetPathValue("transaction", transaction)
	r.Header.Set("Content-Type", "application/dicom+json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	if method == "POST" {
		return w, s.Request(w, r, dicomweb.Ref{})
	}
	return w, s.Result(w, r, dicomweb.Ref{})
}

// verdicts reads an answer: instance by instance "kept", or the failure reason.
func verdicts(t *testing.T, body []byte) map[string]string {
	t.Helper()
	list, err := dicom.ParseJSON(bytes.NewReader(body), dicom.Limits{})
	if err != nil || len(list) != 1 {
		t.Fatalf("%v in %s", err, body)
	}
	out := map[string]string{}
	note := func(item *dicom.Dataset) {
		verdict := "kept"
		if reason, ok := item.Int(tag.FailureReason); ok {
			verdict = fmt.Sprintf("%04XH", reason)
		}
		out[item.String(tag.ReferencedSOPInstanceUID)] += verdict
	}
	for _, seq := range []tag.Tag{tag.ReferencedSOPSequence, tag.FailedSOPSequence} {
		for _, item := range list[0].Items(seq) {
			if item.String(tag.ReferencedSOPClassUID) == "" || (seq == tag.FailedSOPSequence) != item.Has(tag.FailureReason) {
				t.Errorf("item of %s: %s", seq.Keyword(), body)
			}
			note(item)
		}
	}
	for _, seq := range []tag.Tag{tag.ReferencedStudySequence, tag.FailedStudySequence} {
		for _, s := range list[0].Items(seq) {
			for _, e := range s.Items(tag.ReferencedSeriesSequence) {
				for _, c := range e.Items(tag.ReferencedInstancesBySOPClassSequence) {
					for _, item := range c.Items(tag.ReferencedInstanceSequence) {
						if s.String(tag.StudyInstanceUID) == "" || e.String(tag.SeriesInstanceUID) == "" || c.String(tag.ReferencedSOPClassUID) == "" {
							t.Errorf("an item of %s lacks what it lies in: %s", seq.Keyword(), body)
						}
						note(item)
					}
				}
			}
		}
	}
	return out
}

func TestVerdicts(t *testing.T) {
	s := service(t, commitment.Config{Archive: filled(t, t.TempDir())})
	const mr, ct = uid.MRImageStorage, "1.2.840.10008.5.1.4.1.1.2"
	for n, c := range []struct {
		name, body string
		want       map[string]string
	}{
		{"kept", by(mr, instance(1)), map[string]string{instance(1): "kept"}},
		{"unknown", by(mr, "9.9"), map[string]string{"9.9": "0112H"}},
		{"another class", by(ct, instance(1)), map[string]string{instance(1): "0119H"}},
		{"damaged file", by(mr, instance(3)), map[string]string{instance(3): "0110H"}},
		{"some of each", by(mr, instance(1), mr, "9.9", mr, instance(2), mr, instance(3)), map[string]string{instance(1): "kept", instance(2): "kept", instance(3): "0110H", "9.9": "0112H"}},
		{"by study", byStudy(study, mr, instance(1), instance(2), instance(3)), map[string]string{instance(1): "kept", instance(2): "kept", instance(3): "0110H"}},
		{"by study, another class", byStudy(study, ct, instance(1)), map[string]string{instance(1): "0119H"}},
		{"by another study", byStudy("9.8", mr, instance(1)), map[string]string{instance(1): "0112H"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			transaction := fmt.Sprint("2.25.", n+1)
			posted, err := ask(s, "POST", transaction, c.body)
			if err != nil {
				t.Fatal(err)
			}
			got := verdicts(t, posted.Body.Bytes())
			if fmt.Sprint(got) != fmt.Sprint(c.want) || posted.Code != 200 || posted.Header().Get("Content-Type") != "application/dicom+json" {
				t.Errorf("%d %v, want 200 %v", posted.Code, got, c.want)
			}
			again, err := ask(s, "GET", transaction, "")
			if err != nil || !bytes.Equal(again.Body.Bytes(), posted.Body.Bytes()) {
				t.Errorf("GET: %v\n%s\nwant as posted\n%s", err, again.Body, posted.Body)
			}
		})
	}
}

func TestTransactions(t *testing.T) {
	dir, at := t.TempDir(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := filled(t, dir)
	now := func() time.Time { return at }
	s := service(t, commitment.Config{Archive: a, Now: now})
	const mr = uid.MRImageStorage
	if _, err := ask(s, "GET", "2.25.1", ""); dicomweb.KindOf(err) != dicomweb.NotFound {
		t.Errorf("before it was asked: %v", err)
	}
	for range 2 {
		if _, err := ask(s, "POST", "2.25.1", by(mr, instance(1))); err != nil {
			t.Errorf("the same request again: %v", err)
		}
	}
	if _, err := ask(s, "POST", "2.25.1", by(mr, instance(2))); dicomweb.KindOf(err) != dicomweb.Conflict {
		t.Errorf("another request under the same UID: %v, want a conflict", err)
	}
	// After a restart the answer is there, and it is the archive's of today.
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(t.Context(), archive.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	s = service(t, commitment.Config{Archive: a, Now: now})
	if got, err := ask(s, "GET", "2.25.1", ""); err != nil || verdicts(t, got.Body.Bytes())[instance(1)] != "kept" {
		t.Errorf("after a restart: %v %s", err, got.Body)
	}
	if _, err := a.Delete(t.Context(), dicomweb.Ref{Study: study, Series: study + ".1", Instance: instance(1)}); err != nil {
		t.Fatal(err)
	}
	if got, err := ask(s, "GET", "2.25.1", ""); err != nil || verdicts(t, got.Body.Bytes())[instance(1)] != "0112H" {
		t.Errorf("after it was deleted: %v %s", err, got.Body)
	}
	at = at.Add(31 * 24 * time.Hour)
	if _, err := ask(s, "GET", "2.25.1", ""); dicomweb.KindOf(err) != dicomweb.NotFound {
		t.Errorf("after a month: %v, want NotFound", err)
	}
	if _, err := ask(s, "POST", "2.25.1", by(mr, instance(2))); err != nil {
		t.Errorf("the UID may be used again: %v", err)
	}
}

func TestMediaTypes(t *testing.T) {
	s := service(t, commitment.Config{Archive: filled(t, t.TempDir())})
	d := dicom.New()
	item := dicom.New()
	item.Set(tag.ReferencedSOPClassUID, uid.MRImageStorage)
	item.Set(tag.ReferencedSOPInstanceUID, instance(1))
	d.SetItems(tag.ReferencedSOPSequence, item)
	xml, err := dicom.AppendXML(nil, d, dicom.JSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	json := by(uid.MRImageStorage, instance(1))
	for n, c := range []struct {
		name, contentType, body, accept string
		kind                            dicomweb.Kind
		answer                          string // media type; "" for an error
	}{
		{"JSON", "application/dicom+json", json, "", 0, "application/dicom+json"},
		{"JSON as an array", "application/dicom+json; charset=utf-8", "[" + json + "]", "*/*", 0, "application/dicom+json"},
		{"plain JSON", "application/json", json, "application/json", 0, "application/json"},
		{"XML", "application/dicom+xml", string(xml), "application/dicom+xml", 0, "application/dicom+xml"},
		{"html wanted", "application/dicom+json", json, "text/html", dicomweb.NotAcceptable, ""},
		{"text", "text/plain", json, "", dicomweb.UnsupportedMedia, ""},
		{"no type", "", json, "", dicomweb.UnsupportedMedia, ""},
		{"XML that is JSON", "application/dicom+xml", json, "", dicomweb.BadRequest, ""},
		{"cut short", "application/dicom+json", json[:len(json)-5], "", dicomweb.BadRequest, ""},
	} {
		got, err := ask(s, "POST", fmt.Sprint("2.25.", n+1), c.body, "Content-Type", c.contentType, "Accept", c.accept)
		if c.answer == "" {
			if err == nil || dicomweb.KindOf(err) != c.kind {
				t.Errorf("%s: %v, want kind %d", c.name, err, c.kind)
			}
			continue
		}
		if err != nil || got.Code != http.StatusOK || got.Header().Get("Content-Type") != c.answer || !strings.Contains(got.Body.String(), instance(1)) {
			t.Errorf("%s: %v %d %v %s, want 200 as %s", c.name, err, got.Code, got.Header(), got.Body, c.answer)
		}
	}
	for coding, want := range map[string]dicomweb.Kind{"identity": 0, "gzip": dicomweb.UnsupportedMedia, "br": dicomweb.UnsupportedMedia} {
		if _, err := ask(s, "POST", "2.25.77", json, "Content-Encoding", coding); (err != nil) != (want != 0) || dicomweb.KindOf(err) != want {
			t.Errorf("Content-Encoding %s: %v, want kind %d", coding, err, want)
		}
	}
}

func TestRequestsThatSayNothing(t *testing.T) {
	s := service(t, commitment.Config{Archive: filled(t, t.TempDir()), MaxBytes: 4000})
	const mr = uid.MRImageStorage
	var many []string
	for n := range 100 {
		many = append(many, mr, instance(n))
	}
	for _, c := range []struct {
		name, transaction, body string
		kind                    dicomweb.Kind
	}{
		{"malformed transaction UID", "abc", by(mr, instance(1)), dicomweb.BadRequest},
		{"empty", "2.25.1", "", dicomweb.BadRequest},
		{"no reference", "2.25.1", "{}", dicomweb.BadRequest},
		{"two data sets", "2.25.1", "[" + by(mr, instance(1)) + "," + by(mr, instance(2)) + "]", dicomweb.BadRequest},
		{"no class", "2.25.1", by("", instance(1)), dicomweb.BadRequest},
		{"no instance", "2.25.1", by(mr, ""), dicomweb.BadRequest},
		{"no series", "2.25.1", strings.Replace(byStudy(study, mr, instance(1)), "0020000E", "00200010", 1), dicomweb.BadRequest},
		{"too large", "2.25.1", by(many...), dicomweb.TooLarge},
	} {
		if _, err := ask(s, "POST", c.transaction, c.body); err == nil || dicomweb.KindOf(err) != c.kind {
			t.Errorf("%s: %v, want kind %d", c.name, err, c.kind)
		}
	}
}

func FuzzRequest(f *testing.F) {
	a, err := archive.Open(f.Context(), archive.Config{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { a.Close() })
	s, err := commitment.New(commitment.Config{Archive: a, MaxBytes: 1 << 16})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(by(uid.MRImageStorage, instance(1)), "application/dicom+json")
	f.Add(byStudy(study, uid.MRImageStorage, instance(1), instance(2)), "application/json")
	f.Add(`<NativeDicomModel><DicomAttribute tag="00081199" vr="SQ"><Item number="1"/></DicomAttribute></NativeDicomModel>`, "application/dicom+xml")
	n := 0
	f.Fuzz(func(t *testing.T, body, contentType string) {
		n++
		w, err := ask(s, "POST", fmt.Sprint("2.25.", n), body, "Content-Type", contentType)
		if err == nil && (!json.Valid(w.Body.Bytes()) || !strings.Contains(w.Body.String(), "00081197")) {
			t.Errorf("an empty archive answers %s", w.Body)
		}
	})
}
