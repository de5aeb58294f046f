package wado_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/wado"
)

// watched is an archive that counts what is opened.
type watched struct {
	*archive.Archive
	opened atomic.Int32
}

func (a *watched) Open(ctx context.Context, i archive.Instance) (*archive.Object, error) {
	a.opened.Add(1)
	return a.Archive.Open(ctx, i)
}

// many returns a service over a series of n images of 64 KB, and its archive.
func many(t *testing.T, n int) (*wado.Service, *watched) {
	t.Helper()
	a, err := archive.Open(t.Context(), archive.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	for i := range n {
		d := number(image(128, 256, 1, 16, dicom.OW, bytes.Repeat([]byte{byte(i), 1, 2, 3}, 128*256/2)), i+1)
		if _, err := a.Put(t.Context(), bytes.NewReader(encode(d, uid.ExplicitVRLittleEndian)), archive.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	w := &watched{Archive: a}
	s, err := wado.New(wado.Config{Archive: w, BaseURL: func(*http.Request) string { return "http://node/dicom-web" }})
	if err != nil {
		t.Fatal(err)
	}
	return s, w
}

// answers are all answers that hold a whole series.
func answers(s *wado.Service) map[string]func(http.ResponseWriter, *http.Request, dicomweb.Ref) error {
	with := func(h func(http.ResponseWriter, *http.Request, dicomweb.Ref) error, accept string) func(http.ResponseWriter, *http.Request, dicomweb.Ref) error {
		return func(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
			r.Header.Set("Accept", accept)
			return h(w, r, ref)
		}
	}
	const part = `multipart/related; type="application/dicom"; transfer-syntax=`
	return map[string]func(http.ResponseWriter, *http.Request, dicomweb.Ref) error{
		"as stored":  with(s.Instances, part+"*"),
		"compressed": with(s.Instances, part+uid.RLELossless),
		"zip":        with(s.Instances, zipped),
		"bulk data":  with(s.AllBulkData, ohif),
		"pixel data": with(s.PixelData, ohif),
		"metadata":   with(s.Metadata, `multipart/related; type="application/dicom+xml"`),
	}
}

var series = dicomweb.Ref{Study: ref.Study, Series: ref.Series}

// cut is a connection that breaks after some bytes.
type cut struct {
	*httptest.ResponseRecorder
	left int
}

var errCut = errors.New("connection reset")

func (c *cut) Write(b []byte) (int, error) {
	if c.left -= len(b); c.left < 0 {
		return 0, errCut
	}
	return c.ResponseRecorder.Write(b)
}

// TestBrokenConnectionEndsTheWork breaks the connection during the first instances: no more of them may be opened.
func TestBrokenConnectionEndsTheWork(t *testing.T) {
	s, a := many(t, 40)
	for name, h := range answers(s) {
		a.opened.Store(0)
		w := &cut{httptest.NewRecorder(), 3000}
		err := h(w, httptest.NewRequest("GET", "/", nil), series)
		if n := a.opened.Load(); !errors.Is(err, errCut) || n > 5 {
			t.Errorf("%s: %d of 40 instances were opened, %v, want the connection's error after few", name, n, err)
		}
	}
}

// TestClosedConnectionEndsTheWork closes a real connection, which holds some megabytes on the way.
func TestClosedConnectionEndsTheWork(t *testing.T) {
	const all = 200
	s, a := many(t, all)
	ended := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { ended <- s.Instances(w, r, series) }))
	defer server.Close()
	for _, accept := range []string{`multipart/related; type="application/dicom"; transfer-syntax=*`, zipped} {
		a.opened.Store(0)
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, resp.Body, 1000); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if err, n := <-ended, a.opened.Load(); err == nil || n == all {
			t.Errorf("%s: %d of %d instances were opened, %v", accept, n, all, err)
		}
	}
}

// TestCanceledRequestEndsTheWork is the same where the server notices first.
func TestCanceledRequestEndsTheWork(t *testing.T) {
	s, a := many(t, 10)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, h := range answers(s) {
		a.opened.Store(0)
		err := h(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx), series)
		if n := a.opened.Load(); !errors.Is(err, context.Canceled) || n > 1 {
			t.Errorf("%s: %d instances were opened, %v, want the context's error", name, n, err)
		}
	}
}

// meter is a connection that measures memory and open files now and then, and says when each begins.
type meter struct {
	*httptest.ResponseRecorder
	n          int
	heap, open uint64 // the most
}

func (m *meter) Write(b []byte) (int, error) {
	if m.n += len(b); m.n%(1<<20) < len(b) {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		m.heap = max(m.heap, s.HeapAlloc)
		if files, err := os.ReadDir("/proc/self/fd"); err == nil {
			m.open = max(m.open, uint64(len(files)))
		}
	}
	return len(b), nil
}

// TestOneInstanceAtATime sends a series of 10 MB and holds little of it at any time.
func TestOneInstanceAtATime(t *testing.T) {
	s, _ := many(t, 160)
	for name, h := range answers(s) {
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		files, _ := os.ReadDir("/proc/self/fd")
		w := &meter{ResponseRecorder: httptest.NewRecorder()}
		if err := h(w, httptest.NewRequest("GET", "/", nil), series); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		const most = 4 << 20
		if w.heap > before.HeapAlloc+most || w.open > uint64(len(files))+4 {
			t.Errorf("%s: %d bytes more memory and %d more open files at most, want less than %d and 5",
				name, w.heap-before.HeapAlloc, w.open-uint64(len(files)), most)
		}
		if w.n < 1<<20 && name != "metadata" && name != "compressed" {
			t.Errorf("%s: only %d bytes were sent", name, w.n)
		}
	}
}

// stopped is a connection that takes nothing once it is full, until it is let go.
type stopped struct {
	*httptest.ResponseRecorder
	full chan struct{}
	goOn chan struct{}
	n    int
}

func (s *stopped) Write(b []byte) (int, error) {
	if s.n += len(b); s.n > 2000 && s.full != nil {
		close(s.full)
		s.full = nil
		<-s.goOn
	}
	return len(b), nil
}

// TestSlowReaderHoldsNoLock stores and deletes while a client takes nothing.
func TestSlowReaderHoldsNoLock(t *testing.T) {
	s, a := many(t, 10)
	n := 10
	for name, h := range answers(s) {
		full, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		w := &stopped{ResponseRecorder: httptest.NewRecorder(), full: full, goOn: goOn}
		go func() { ended <- h(w, httptest.NewRequest("GET", "/", nil), series) }()
		<-full
		n++
		d := number(image(1, 2, 1, 16, dicom.OW, []byte("aAbB")), n)
		if _, err := a.Put(t.Context(), bytes.NewReader(encode(d, uid.ExplicitVRLittleEndian)), archive.PutOptions{}); err != nil {
			t.Errorf("%s: store meanwhile: %v", name, err)
		}
		if _, err := a.Delete(t.Context(), dicomweb.Ref{Study: ref.Study, Series: ref.Series, Instance: fmt.Sprintf("%s.%d", ref.Instance, n)}); err != nil {
			t.Errorf("%s: delete meanwhile: %v", name, err)
		}
		close(goOn)
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHeadOpensLittle asks for what the index alone can tell, and for what needs a look into one object.
func TestHeadOpensLittle(t *testing.T) {
	s, a := many(t, 20)
	one := dicomweb.Ref{Study: ref.Study, Series: ref.Series, Instance: ref.Instance + ".1"}
	for _, c := range []struct {
		name   string
		h      func(http.ResponseWriter, *http.Request, dicomweb.Ref) error
		at     dicomweb.Ref
		accept string
		most   int32
		length bool
	}{
		{"instance as stored", s.Instances, one, "application/dicom; transfer-syntax=*", 0, true},
		{"instance in parts", s.Instances, one, `multipart/related; type="application/dicom"`, 0, true},
		{"series", s.Instances, series, "", 0, true},
		{"series compressed", s.Instances, series, "multipart/related; type=application/dicom; transfer-syntax=" + uid.RLELossless, 0, false},
		{"zip", s.Instances, series, zipped, 0, true},
		{"zip compressed", s.Instances, series, zipped + "; transfer-syntax=" + uid.RLELossless, 0, false},
		{"bulk data", s.AllBulkData, series, ohif, 0, false},
		{"pixel data", s.PixelData, one, "", 1, true},
		{"metadata", s.Metadata, series, "", 0, false},
	} {
		a.opened.Store(0)
		r := httptest.NewRequest("HEAD", "/", nil)
		r.Header.Set("Accept", c.accept)
		w := httptest.NewRecorder()
		err := c.h(w, r, c.at)
		if n := a.opened.Load(); err != nil || w.Code != 200 || w.Body.Len() > 0 || n > c.most || c.length && w.Header().Get("Content-Length") == "" {
			t.Errorf("%s: %d with %d bytes, %d objects opened, Content-Length %q, %v", c.name, w.Code, w.Body.Len(), n, w.Header().Get("Content-Length"), err)
		}
		get := httptest.NewRequest("GET", "/", nil)
		get.Header = r.Header
		body := httptest.NewRecorder()
		if err := c.h(body, get, c.at); err != nil {
			t.Fatal(err)
		}
		if n := w.Header().Get("Content-Length"); n != "" && n != fmt.Sprint(body.Body.Len()) {
			t.Errorf("%s: HEAD tells %s bytes, GET sends %d", c.name, n, body.Body.Len())
		}
		same := func(name string) bool {
			cut := func(h http.Header) string { v, _, _ := strings.Cut(h.Get(name), "boundary="); return v }
			return cut(w.Header()) == cut(body.Header())
		}
		for _, name := range []string{"Content-Type", "ETag", "Cache-Control", "Content-Location", "Accept-Ranges"} {
			if !same(name) {
				t.Errorf("%s: %s is %q by HEAD and %q by GET", c.name, name, w.Header().Get(name), body.Header().Get(name))
			}
		}
	}
}
