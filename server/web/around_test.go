package web_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/query"
	"mome/server/web"
)

// everything is an archive that knows nothing; methods that are nil panic when they are called.
type everything struct {
	web.Archive
	instances func() ([]archive.Instance, error)
}

func (a everything) Instances(context.Context, dicomweb.Ref) ([]archive.Instance, error) {
	return a.instances()
}

func (everything) Changes() int64 { return 0 }

func (everything) Find(context.Context, query.Query) ([]*dicom.Dataset, int, error) {
	return nil, 0, nil
}

func TestErrorsAreForPeople(t *testing.T) {
	n := start(t, web.Config{})
	for _, c := range []struct {
		name, method, path, accept string
		status                     int
		contentType, text          string
	}{
		{"unknown resource", "GET", "/nothing", "", 404, "application/problem+json", "no such resource"},
		{"unknown study", "GET", "/studies/9.9", "", 404, "application/problem+json", "nothing is stored"},
		{"in a terminal", "GET", "/studies/9.9/metadata?accept=application/json", "text/plain", 404, "application/problem+json", "nothing is stored"},
		{"in a browser", "GET", "/nothing", "text/html,application/xhtml+xml,*/*;q=0.8", 404, "text/plain; charset=utf-8", "404 Not Found\n"},
		{"wrong method", "POST", "/series", "", 405, "application/problem+json", "POST"},
		{"wrong method where others are", "PUT", "/studies", "", 405, "application/problem+json", "PUT"},
		{"empty segment", "GET", "/studies/%20/series", "", 400, "application/problem+json", "UID"},
		{"encoded slash", "GET", "/studies/1%2F2", "", 400, "application/problem+json", "UID"},
		{"malformed accept", "GET", "/studies", "nonsense", 406, "application/problem+json", "application/dicom+json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := n.do(c.method, c.path, nil, "Accept: "+c.accept, "Origin: http://viewer.example")
			if got.StatusCode != c.status || got.Header.Get("Content-Type") != c.contentType || !strings.Contains(string(got.body), c.text) {
				t.Errorf("%s as %s: %s; want %d as %s with %q", got.Status, got.Header.Get("Content-Type"), got.body, c.status, c.contentType, c.text)
			}
			if got.Header.Get("Access-Control-Allow-Origin") != "*" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v lack CORS or nosniff", got.Header)
			}
			if strings.HasPrefix(c.contentType, "application") {
				var p struct {
					Status int
					Title  string
				}
				if err := json.Unmarshal(got.body, &p); err != nil || p.Status != c.status || p.Title == "" {
					t.Errorf("problem %s: %v", got.body, err)
				}
			}
			if c.status == 405 && !strings.Contains(got.Header.Get("Allow"), "GET") {
				t.Errorf("Allow %q", got.Header.Get("Allow"))
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	n := start(t, web.Config{})
	for path, want := range map[string]string{"/studies": "POST", instance + ".1/frames/1": "GET", "/studies/1.2": "POST"} {
		got := n.do("OPTIONS", path, nil, "Origin: http://viewer.example", "Access-Control-Request-Method: "+want, "Access-Control-Request-Headers: authorization,content-type")
		h := got.Header
		if got.StatusCode != 204 || !strings.Contains(h.Get("Access-Control-Allow-Methods"), want) || h.Get("Access-Control-Allow-Origin") != "*" ||
			!strings.Contains(h.Get("Access-Control-Allow-Headers"), "content-type") || h.Get("Access-Control-Max-Age") == "" || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("OPTIONS %s: %s %v", path, got.Status, h)
		}
		if !strings.Contains(h.Get("Allow"), want) {
			t.Errorf("OPTIONS %s: Allow %q", path, h.Get("Allow"))
		}
	}
}

func TestOrigins(t *testing.T) {
	for _, c := range []struct {
		name    string
		origins []string
		origin  string
		want    string
	}{
		{"all by default", nil, "http://a.example", "*"},
		{"none", []string{"none"}, "http://a.example", ""},
		{"one that is listed", []string{"http://a.example", "http://b.example"}, "http://b.example", "http://b.example"},
		{"one that is not", []string{"http://a.example"}, "http://evil.example", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := start(t, web.Config{Origins: c.origins})
			if got := n.get("/studies", "Origin: "+c.origin).Header.Get("Access-Control-Allow-Origin"); got != c.want {
				t.Errorf("Allow-Origin %q, want %q", got, c.want)
			}
		})
	}
}

func TestGzip(t *testing.T) {
	n := start(t, web.Config{})
	n.store(object{number: 1}.bytes(t), object{number: 2}.bytes(t))
	plain := n.get("/studies/"+study+"/metadata", "Accept-Encoding: identity")
	for _, c := range []struct {
		path, encoding string
		want           bool
	}{
		{"/studies/" + study + "/metadata", "gzip, deflate, br", true},
		{"/studies/" + study + "/metadata", "br, *", true},
		{"/studies/" + study + "/metadata", "gzip;q=0", false},
		{"/instances", "gzip", true},
		{"/studies/9.9/metadata", "gzip", false},
		{"/studies/" + study, "gzip", false},
	} {
		got := n.get(c.path, "Accept-Encoding: "+c.encoding)
		if (got.Header.Get("Content-Encoding") == "gzip") != c.want {
			t.Errorf("%s, Accept-Encoding %s: Content-Encoding %q, want gzip %t", c.path, c.encoding, got.Header.Get("Content-Encoding"), c.want)
			continue
		}
		if !strings.Contains(got.Header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: Vary %q", c.path, got.Header.Get("Vary"))
		}
		if c.want && strings.HasSuffix(c.path, "metadata") {
			z, err := gzip.NewReader(bytes.NewReader(got.body))
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(z); err != nil || !bytes.Equal(b, plain.body) {
				t.Errorf("%s: unzipped %d bytes, %v, want the %d plain ones", c.path, len(b), err, len(plain.body))
			}
		}
	}
}

func TestBaseURL(t *testing.T) {
	for _, c := range []struct {
		name   string
		cfg    web.Config
		header []string
		want   string // "" for the request's own
	}{
		{"host of the request", web.Config{}, nil, ""},
		{"forwarded, not trusted", web.Config{}, []string{"X-Forwarded-Host: evil.example", "Forwarded: host=evil.example"}, ""},
		{"forwarded", web.Config{TrustForwarded: true}, []string{`Forwarded: for=1.2.3.4;host="pacs.example:8443";proto=https, for=5.6.7.8;host=inner`}, "https://pacs.example:8443/dicom-web"},
		{"x-forwarded", web.Config{TrustForwarded: true}, []string{"X-Forwarded-Proto: https", "X-Forwarded-Host: pacs.example, inner", "X-Forwarded-Port: 443", "X-Forwarded-Prefix: /mri/"}, "https://pacs.example/mri/dicom-web"},
		{"x-forwarded with a port", web.Config{TrustForwarded: true}, []string{"X-Forwarded-Host: pacs.example", "X-Forwarded-Port: 8080"}, "http://pacs.example:8080/dicom-web"},
		{"forwarded nonsense", web.Config{TrustForwarded: true}, []string{`X-Forwarded-Host: a"b<c`, "X-Forwarded-Prefix: /<x>", "X-Forwarded-Proto: javascript"}, ""},
		{"setting", web.Config{PublicURL: "https://pacs.example/mri/"}, nil, "https://pacs.example/mri/dicom-web"},
		{"setting with the services' path", web.Config{PublicURL: "https://pacs.example/dicom-web"}, nil, "https://pacs.example/dicom-web"},
		{"setting over forwarded", web.Config{PublicURL: "https://pacs.example", TrustForwarded: true}, []string{"X-Forwarded-Host: other"}, "https://pacs.example/dicom-web"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := start(t, c.cfg)
			n.store(object{number: 1}.bytes(t))
			want := c.want
			if want == "" {
				want = n.dicom
			}
			got := n.get("/studies", c.header...)
			if !strings.Contains(string(got.body), `"Value":["`+want+"/studies/"+study+`"]`) {
				t.Errorf("%s, want Retrieve URLs below %s", got.body, want)
			}
			if got = n.get("/studies/"+study+"/metadata", c.header...); !strings.Contains(string(got.body), `"BulkDataURI":"`+want+"/studies/") {
				t.Errorf("%s, want BulkDataURIs below %s", got.body, want)
			}
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, cfg := range map[string]web.Config{
		"no archive":            {},
		"relative URL":          {Archive: everything{}, PublicURL: "/mri"},
		"URL with a query":      {Archive: everything{}, PublicURL: "http://a/?b"},
		"negative size":         {Archive: everything{}, MaxRequestBytes: -1},
		"origin without scheme": {Archive: everything{}, Origins: []string{"viewer.example"}},
		"negative stall":        {Archive: everything{}, Stall: -1},
	} {
		if _, err := web.New(cfg); err == nil {
			t.Errorf("%s: New took it", name)
		}
	}
}

func TestPanicsAndInnerErrorsBecome500(t *testing.T) {
	for name, instances := range map[string]func() ([]archive.Instance, error){
		"panic": func() ([]archive.Instance, error) { panic("Phantom^One") },
		"error": func() ([]archive.Instance, error) { return nil, errors.New("row of Phantom^One") },
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			n := start(t, web.Config{Archive: everything{instances: instances}, Log: slog.New(slog.NewTextHandler(&log, nil))})
			got := n.get("/studies/1.2")
			if got.StatusCode != 500 || strings.Contains(string(got.body), "Phantom") {
				t.Errorf("%s %s, want 500 without details", got.Status, got.body)
			}
			if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "route=/dicom-web/studies/:study") {
				t.Errorf("log: %s", log.String())
			}
		})
	}
}

func TestLogHoldsNoPatientData(t *testing.T) {
	var log bytes.Buffer
	n := start(t, web.Config{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	n.store(object{number: 1, patient: "Secret^Name"}.bytes(t))
	n.get("/studies?PatientName=Secret*")
	n.get("/studies?StudyDate=Secret")
	n.get("/studies/" + study + "/metadata")
	n.do("POST", "/studies", strings.NewReader("Secret"), "Content-Type: application/dicom")
	n.get("/Secret")
	n.get(n.root + "/study/" + study)
	n.get(n.root + "/")
	lines := strings.Count(log.String(), "msg=request")
	if strings.Contains(log.String(), "Secret") || lines != 8 {
		t.Errorf("%d lines, want 8 without Secret:\n%s", lines, log.String())
	}
	for _, want := range []string{"method=POST route=/dicom-web/studies status=200", "in=", "out=", "took=", "status=400"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in:\n%s", want, log.String())
		}
	}
}

// TestServeEndsGracefully ends the node while an upload is under way.
func TestServeEndsGracefully(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	s, err := web.New(web.Config{Archive: slow{began: began, goOn: goOn}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	status := make(chan int, 1)
	go func() {
		resp, err := http.Post("http://"+l.Addr().String()+"/dicom-web/studies", "application/dicom", strings.NewReader("x"))
		if err != nil {
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-began
	cancel()
	select {
	case err := <-served:
		t.Fatalf("Serve ended with %v while a request ran", err)
	case goOn <- struct{}{}:
	}
	if got := <-status; got != 200 {
		t.Errorf("the request that ran got %d, want 200", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

type slow struct {
	web.Archive
	began, goOn chan struct{}
}

func (s slow) Put(_ context.Context, r io.Reader, _ archive.PutOptions) (archive.Receipt, error) {
	close(s.began)
	<-s.goOn
	_, err := io.Copy(io.Discard, r)
	return archive.Receipt{Ref: dicomweb.Ref{Study: "1", Series: "2", Instance: "3"}, Outcome: archive.Stored}, err
}

// TestStalledUpload leaves a request standing.
func TestStalledUpload(t *testing.T) {
	n := start(t, web.Config{Stall: 50 * time.Millisecond})
	pr, pw := io.Pipe()
	go pw.Write([]byte("--b\r\nContent-Type: application/dicom\r\n\r\nhalf"))
	defer pw.Close()
	req, err := http.NewRequest("POST", n.dicom+"/studies", pr)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "multipart/related; boundary=b")
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("%s, want 400 or a closed connection", resp.Status)
		}
	}
}

// TestBrokenAnswersBreakOff checks that a client never takes a half for the whole.
func TestBrokenAnswersBreakOff(t *testing.T) {
	n := start(t, web.Config{})
	n.store(object{number: 1}.bytes(t), object{number: 2}.bytes(t))
	s, err := web.New(web.Config{Archive: losing{n.archive}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer server.Close()
	resp, err := http.Get(server.URL + "/dicom-web/studies/" + study)
	if err != nil {
		return // broken off before the header left
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the answer ended as if it were whole")
	}
}

// losing has lost the file of the second instance.
type losing struct{ *archive.Archive }

func (l losing) Open(ctx context.Context, i archive.Instance) (*archive.Object, error) {
	if i.Number == 2 {
		return nil, errors.New("lost")
	}
	return l.Archive.Open(ctx, i)
}
