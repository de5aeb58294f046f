package stow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/stow"
)

// script is an archive that does what the part's text says.
type script struct{ studies []string }

func (s *script) Put(_ context.Context, r io.Reader, opt archive.PutOptions) (archive.Receipt, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return archive.Receipt{}, fmt.Errorf("receive: %w", err)
	}
	verb, study, _ := strings.Cut(string(b), " ")
	known := archive.Receipt{Ref: dicomweb.Ref{Study: study, Series: "1.1", Instance: "1.1.1"}, SOPClass: "1.2.840.10008.5.1.4.1.1.4"}
	if opt.Study != "" && study != opt.Study {
		return known, archive.ErrOtherStudy
	}
	switch verb {
	case "store":
		s.studies = append(s.studies, study)
		known.Outcome = archive.Stored
		return known, nil
	case "same":
		known.Outcome = archive.Same
		return known, nil
	case "kept":
		known.Outcome = archive.Kept
		return known, nil
	case "replaced":
		known.Outcome = archive.Replaced
		return known, nil
	case "full":
		return known, fmt.Errorf("stage: %w", archive.ErrNoSpace)
	case "large":
		return archive.Receipt{}, dicomweb.Errorf(dicomweb.TooLarge, "the instance has more than 7 bytes")
	case "limit":
		return archive.Receipt{}, &dicom.FormatError{Reason: dicom.ReasonDepth}
	case "syntax":
		return archive.Receipt{}, &dicom.FormatError{Reason: dicom.ReasonTransferSyntax}
	case "broken":
		return known, errors.New("disk on fire")
	}
	return archive.Receipt{}, &dicom.FormatError{Reason: dicom.ReasonNotDICOM}
}

func service(t testing.TB, a stow.Archive) *stow.Service {
	t.Helper()
	s, err := stow.New(stow.Config{Archive: a, BaseURL: func(*http.Request) string { return "http://node/dicom-web" }, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// post sends parts and returns status and body; an error that the service returns is its status.
func post(s *stow.Service, study, contentType, body string) (int, string) {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	if err := s.Store(w, r, dicomweb.Ref{Study: study}); err != nil {
		return dicomweb.KindOf(err).Status(), err.Error()
	}
	return w.Code, w.Body.String()
}

func multipart(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("--b\r\nContent-Type: application/dicom\r\n\r\n" + p + "\r\n")
	}
	return b.String() + "--b--\r\n"
}

const related = "multipart/related; type=application/dicom; boundary=b"

func TestStatusAndReasons(t *testing.T) {
	for _, c := range []struct {
		name   string
		parts  []string
		status int
		want   []string // in the answer
		not    []string
	}{
		{"all stored", []string{"store 1.2", "store 1.2"}, 200, []string{"00081199", `"00081190":{"vr":"UR","Value":["http://node/dicom-web/studies/1.2"]}`}, []string{"00081198", "00081196", "0008119A"}},
		{"two studies have no common URL", []string{"store 1.2", "store 1.3"}, 200, []string{"studies/1.2/series/1.1/instances/1.1.1"}, []string{`studies/1.2"]`}},
		{"the same again", []string{"same 1.2"}, 200, []string{"00081199"}, []string{"00081196"}},
		{"kept", []string{"kept 1.2"}, 202, []string{`"00081196":{"vr":"US","Value":[45056]}`, "was kept"}, []string{"00081198"}},
		{"replaced", []string{"replaced 1.2"}, 202, []string{"45056", "was replaced"}, []string{"00081198"}},
		{"garbage between", []string{"store 1.2", "x", "store 1.2"}, 202, []string{"00081198", "00081199", "0008119A", "49152", "not a DICOM file"}, nil},
		{"garbage only", []string{"x", "y"}, 409, []string{"00081198"}, []string{"00081199", "00081190"}},
		{"unknown transfer syntax", []string{"syntax"}, 409, []string{"49442"}, nil},
		{"over a limit", []string{"limit"}, 413, []string{"42752"}, nil},
		{"one too large", []string{"large", "store 1.2"}, 202, []string{"42752", "more than 7 bytes"}, nil},
		{"too large only", []string{"large"}, 413, []string{"42752"}, nil},
		{"no space ends it", []string{"store 1.2", "full 1.2", "store 1.2"}, 503, []string{"42752", "00081199"}, nil},
		{"own fault", []string{"broken 1.2"}, 500, []string{"272"}, []string{"fire"}},
		{"own fault beside success", []string{"broken 1.2", "store 1.2"}, 202, []string{"272"}, []string{"fire"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := post(service(t, &script{}), "", related, multipart(c.parts...))
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			for _, want := range c.want {
				if !strings.Contains(body, want) {
					t.Errorf("no %s in %s", want, body)
				}
			}
			for _, not := range c.not {
				if strings.Contains(body, not) {
					t.Errorf("%s in %s", not, body)
				}
			}
		})
	}
}

func TestStudyOfThePath(t *testing.T) {
	a := &script{}
	status, body := post(service(t, a), "1.2", related, multipart("store 1.3", "store 1.2"))
	if status != 202 || len(a.studies) != 1 || a.studies[0] != "1.2" || !strings.Contains(body, `"Value":[272]`) {
		t.Errorf("%d %s, stored %v; want 202 and 1.2 only", status, body, a.studies)
	}
}

func TestConfigIsChecked(t *testing.T) {
	base := func(*http.Request) string { return "" }
	for _, cfg := range []stow.Config{{}, {Archive: &script{}}, {BaseURL: base}, {Archive: &script{}, BaseURL: base, MaxBytes: -1}} {
		if _, err := stow.New(cfg); err == nil {
			t.Errorf("New took %+v", cfg)
		}
	}
}

// FuzzStore checks that every body is answered: with an error of the client's, or a well-formed response that accounts
// for what was stored.
func FuzzStore(f *testing.F) {
	f.Add(related, multipart("store 1.2", "garbage"))
	f.Add("application/dicom", "store 1.2")
	f.Add(`multipart/related; boundary="'"`, "--'\n\n\nsame\n--'--")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		a := &script{}
		r := httptest.NewRequest("POST", "/", bytes.NewReader([]byte(body)))
		r.Header = http.Header{"Content-Type": {contentType}}
		w := httptest.NewRecorder()
		if err := service(t, a).Store(w, r, dicomweb.Ref{}); err != nil {
			if k := dicomweb.KindOf(err); k == dicomweb.Internal || len(a.studies) > 0 {
				t.Errorf("%q %q: %v with %d stored", contentType, body, err, len(a.studies))
			}
			return
		}
		var answer map[string]struct{ Value []any }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%q %q: %v in %s", contentType, body, err, w.Body)
		}
		if got := len(answer["00081199"].Value); got < len(a.studies) {
			t.Errorf("%q %q: %d told as stored, %d are", contentType, body, got, len(a.studies))
		}
	})
}
