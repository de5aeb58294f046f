package wado_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/prepared"
	"mome/dicomweb/wado"
)

// altered is an archive whose prepared metadata are what alter makes of them. It tells when the index is asked while it is
// being read: it has few connections.
type altered struct {
	*archive.Archive
	t       *testing.T
	alter   func(metadata []byte) []byte
	reading bool
}

func (a *altered) asked() {
	if a.reading {
		a.t.Error("the index is asked while its prepared metadata are read")
	}
}

func (a *altered) Prepared(ctx context.Context, members []index.Member, fn func(index.Member, []byte) error) error {
	a.asked()
	return a.Archive.Prepared(ctx, members, func(m index.Member, metadata []byte) error {
		a.reading = true
		defer func() { a.reading = false }()
		return fn(m, a.alter(metadata))
	})
}

func (a *altered) Instances(ctx context.Context, ref dicomweb.Ref) ([]archive.Instance, error) {
	a.asked()
	return a.Archive.Instances(ctx, ref)
}

func (a *altered) Headers(ctx context.Context, ref dicomweb.Ref, fn func(archive.Instance, *dicom.Dataset) error) error {
	a.asked()
	return a.Archive.Headers(ctx, ref, fn)
}

// alteredSeries returns a service over a series of n images with altered metadata.
func alteredSeries(t *testing.T, n int, alter func(k int, metadata []byte) []byte) *wado.Service {
	t.Helper()
	a, err := archive.Open(t.Context(), archive.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	for i := range n {
		d := number(image(1, 2, 1, 16, dicom.OW, []byte("aAbB")), i+1)
		if _, err := a.Put(t.Context(), bytes.NewReader(encode(d, uid.ExplicitVRLittleEndian)), archive.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	k := 0
	s, err := wado.New(wado.Config{
		Archive: &altered{Archive: a, t: t, alter: func(b []byte) []byte { k++; return alter(k, b) }},
		BaseURL: func(*http.Request) string { return "http://node/dicom-web" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestUnpreparedMetadata makes the metadata that are not prepared, in their places.
func TestUnpreparedMetadata(t *testing.T) {
	const n = 7
	want, _ := call(alteredSeries(t, n, func(_ int, b []byte) []byte { return b }).Metadata, series, "")
	for name, missing := range map[string]func(k int) bool{
		"all": func(int) bool { return true }, "none but the first": func(k int) bool { return k > 1 }, "every other": func(k int) bool { return k%2 == 0 },
	} {
		s := alteredSeries(t, n, func(k int, b []byte) []byte {
			if missing(k) {
				return nil
			}
			return b
		})
		got, status := call(s.Metadata, series, "")
		if status != 200 || got.Body.String() != want.Body.String() || got.Header().Get("Content-Length") != fmt.Sprint(got.Body.Len()) {
			t.Errorf("%s: %d with %d bytes, want what was prepared, %d bytes", name, status, got.Body.Len(), want.Body.Len())
		}
	}
}

// largest is a connection that notes the most bytes that came at once.
type largest struct {
	*httptest.ResponseRecorder
	n int
}

func (l *largest) Write(b []byte) (int, error) {
	l.n = max(l.n, len(b))
	return l.ResponseRecorder.Write(b)
}

// TestLongMetadataAreSentInPieces wants few megabytes in memory, however long the metadata of a series are.
func TestLongMetadataAreSentInPieces(t *testing.T) {
	const n, length = 20, 2 << 20
	text := `{"x":"` + strings.Repeat("a", length) + `"}`
	long, err := prepared.Append(nil, func(string) ([]byte, error) { return []byte(text), nil })
	if err != nil {
		t.Fatal(err)
	}
	w := &largest{ResponseRecorder: httptest.NewRecorder()}
	s := alteredSeries(t, n, func(int, []byte) []byte { return long })
	if err := s.Metadata(w, httptest.NewRequest("GET", "/", nil), series); err != nil {
		t.Fatal(err)
	}
	if want := "[" + strings.Repeat(text+",", n-1) + text + "]"; w.Body.String() != want {
		t.Errorf("%d bytes, want %d", w.Body.Len(), len(want))
	}
	if most := 3*length + 10; w.n > most {
		t.Errorf("%d bytes were sent at once, want at most %d", w.n, most)
	}
	one, _ := call(alteredSeries(t, 2, func(int, []byte) []byte { return long }).Metadata, series, "")
	if got := one.Header().Get("Content-Length"); got != fmt.Sprint(one.Body.Len()) {
		t.Errorf("two of them: Content-Length %q of %d bytes", got, one.Body.Len())
	}
}
