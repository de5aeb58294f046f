package viewer_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/server/viewer"
)

// get asks v for a path below viewer.Path as a browser does; header lines are "Name: value".
func get(t *testing.T, v *viewer.Viewer, base, target string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest("GET", "http://node/"+target, nil)
	r.Header.Set("Accept-Encoding", "gzip, br")
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	if err := v.Serve(w, r, base, strings.TrimPrefix(r.URL.Path, "/")); err != nil {
		w = httptest.NewRecorder()
		w.WriteHeader(dicomweb.KindOf(err).Status())
	}
	body := io.Reader(w.Body)
	if w.Header().Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil && w.Body.Len() > 0 {
			t.Fatal(err)
		}
		if err == nil {
			body = z
		}
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), string(b)
}

func open(t *testing.T, cfg viewer.Config) *viewer.Viewer {
	t.Helper()
	v, err := viewer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestIndexLiesWhereItIsServed(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, whole("1.0.0"))
	v := open(t, viewer.Config{Dir: dir})
	for _, base := range []string{"", "/mome"} {
		for _, path := range []string{"", "index.html", "viewer?StudyInstanceUIDs=1.2", "segmentation", "viewer/1.2.3"} {
			r, body := get(t, v, base, path)
			if r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Fatalf("%q: %s %s", path, r.Status, r.Header.Get("Content-Type"))
			}
			script := `window.PUBLIC_URL="` + base + `/viewer/"`
			for _, want := range []string{
				`href="` + base + `/viewer/assets/favicon.ico"`, `src="` + base + `/viewer/app-config.js"`, script,
				`content="` + base + `/viewer/assets/mstile-144x144.png"`, `href="//elsewhere/"`,
			} {
				if !strings.Contains(body, want) {
					t.Errorf("%q below %q lacks %s:\n%s", path, base, want, body)
				}
			}
			sum := sha256.Sum256([]byte(script))
			csp := r.Header.Get("Content-Security-Policy")
			if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(csp, want) || !strings.Contains(csp, "default-src 'none'") {
				t.Errorf("the policy %s does not admit the page's own script, %s", csp, want)
			}
		}
	}
}

func TestDeepLinkGoesToTheModeThatShowsStudies(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, whole("1.0.0"))
	v := open(t, viewer.Config{Dir: dir})
	r, _ := get(t, v, "/mome", "?StudyInstanceUIDs=1.2&initialSeriesInstanceUID=1.3")
	if want := "/mome/viewer/viewer?StudyInstanceUIDs=1.2&initialSeriesInstanceUID=1.3"; r.StatusCode != 302 || r.Header.Get("Location") != want {
		t.Errorf("%s to %s, want 302 to %s", r.Status, r.Header.Get("Location"), want)
	}
}

func TestConfigNamesTheNode(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, whole("1.0.0"))
	v := open(t, viewer.Config{Dir: dir})
	for base, want := range map[string]string{
		"":                  `const nodePath = "";`,
		"/mome":             `const nodePath = "/mome";`,
		`/"</script><x>'\n`: `const nodePath = "/\"\u003c/script\u003e\u003cx\u003e'\\n";`,
	} {
		r, body := get(t, v, base, "app-config.js")
		first, rest, _ := strings.Cut(body, "\n")
		if first != want || !strings.Contains(rest, "/dicom-web`") || !strings.Contains(rest, "window.config = {") {
			t.Errorf("base %q: %s, want %s and the settings", base, body, want)
		}
		if r.Header.Get("Content-Type") != "text/javascript; charset=utf-8" || r.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("base %q: %v", base, r.Header)
		}
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, whole("1.0.0"))
	v := open(t, viewer.Config{Dir: dir})
	const forever, each = "public, max-age=31536000, immutable", "no-cache"
	for _, c := range []struct{ path, mime, cache, body string }{
		{"app.bundle.0123456789abcdef.js", "text/javascript; charset=utf-8", forever, `__webpack_require__.p = self.PUBLIC_URL || self.location.`},
		{"decoder.0123456789abcdef.wasm", "application/wasm", forever, "\x00asm"},
		{"app.bundle.css", "text/css; charset=utf-8", each, "@font-face{src:url(a.woff2)} a{background:url(//host/x)}"},
		{"sub/more.css", "text/css; charset=utf-8", each, "a{background:url('../a.png')}"},
		{"a.woff2", "font/woff2", each, "font"},
	} {
		r, body := get(t, v, "", c.path)
		if r.StatusCode != 200 || !strings.HasPrefix(body, c.body) || r.Header.Get("Content-Type") != c.mime || r.Header.Get("Cache-Control") != c.cache {
			t.Errorf("%s: %s %v %q", c.path, r.Status, r.Header, body)
		}
		// A client that does not take gzip gets the same bytes, one that has them nothing.
		if plain, same := get(t, v, "", c.path, "Accept-Encoding: identity"); plain.Header.Get("Content-Encoding") != "" || same != body {
			t.Errorf("%s without gzip: %v %q, want %q", c.path, plain.Header, same, body)
		}
		if again, _ := get(t, v, "", c.path, "If-None-Match: "+r.Header.Get("ETag")); again.StatusCode != 304 {
			t.Errorf("%s with its ETag: %s", c.path, again.Status)
		}
		if part, all := get(t, v, "", c.path, "Range: bytes=0-0"); part.StatusCode != 200 || all != body {
			t.Errorf("%s of a range: %s %q, want all of it", c.path, part.Status, all)
		}
	}
	for path, status := range map[string]int{
		"none.js": 404, "app.bundle.js.map": 404, "ort/ort.js": 404, "a%2Fb.js": 404,
		"..%2f..%2finstalled.json": 400, "../installed.json": 400, "assets/../../installed.json": 400, "./a.woff2": 400,
	} {
		if r, body := get(t, v, "", path); r.StatusCode != status {
			t.Errorf("%s: %s %q, want %d", path, r.Status, body, status)
		}
	}
}

func TestServedAsSoonAsInstalled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "viewer")
	v := open(t, viewer.Config{Dir: dir})
	absent := func() {
		t.Helper()
		for _, path := range []string{"", "app-config.js", "viewer"} {
			if r, body := get(t, v, "", path); r.StatusCode != 404 || !strings.Contains(body, "server viewer install") {
				t.Errorf("%q without an installation: %s %q", path, r.Status, body)
			}
		}
	}
	absent()
	for _, version := range []string{"1.0.0", "2.0.0", "2.0.0"} {
		install(t, dir, whole(version))
		if _, body := get(t, v, "", "app.bundle.0123456789abcdef.js"); !strings.Contains(body, "// "+version) {
			t.Errorf("after the installation of %s: %.80q", version, body)
		}
	}
	if err := viewer.Remove(dir); err != nil {
		t.Fatal(err)
	}
	absent()
}

func TestLink(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, whole("1.0.0"))
	own := open(t, viewer.Config{Dir: dir})
	other := open(t, viewer.Config{Dir: dir, URL: "https://host/v?StudyInstanceUIDs={study}&s={series}"})
	none := open(t, viewer.Config{Dir: filepath.Join(dir, "none")})
	for _, c := range []struct {
		name                string
		v                   *viewer.Viewer
		root, study, series string
		want                string
	}{
		{"study", own, "", "1.2", "", "viewer?StudyInstanceUIDs=1.2"},
		{"series in front", own, "../", "1.2", "1.3", "../viewer?StudyInstanceUIDs=1.2&initialSeriesInstanceUID=1.3"},
		{"by URL", own, "https://h/mome/", "1.2", "", "https://h/mome/viewer?StudyInstanceUIDs=1.2"},
		{"what is no UID", own, "", `1"&x=<`, "", "viewer?StudyInstanceUIDs=1%22%26x%3D%3C"},
		{"another viewer", other, "../", "1.2", "1.3", "https://host/v?StudyInstanceUIDs=1.2&s=1.3"},
		{"not installed", none, "", "1.2", "", ""},
		{"switched off", open(t, viewer.Config{}), "", "1.2", "", ""},
		{"nil", nil, "", "1.2", "", ""},
	} {
		if got := c.v.Link(c.root, c.study, c.series); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	for _, bad := range []string{"https://host/viewer", "javascript:alert({study})", "/viewer?{study}", "https:///{study}", "%zz{study}"} {
		if _, err := viewer.New(viewer.Config{URL: bad}); err == nil || !strings.Contains(err.Error(), "Config.URL") {
			t.Errorf("URL %q: %v", bad, err)
		}
	}
}

func TestServeErrorsHaveAKind(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, whole("1.0.0"))
	var known *dicomweb.Error
	err := open(t, viewer.Config{Dir: dir}).Serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), "", "none.js")
	if !errors.As(err, &known) || known.Kind != dicomweb.NotFound {
		t.Errorf("%v, want an error of kind NotFound", err)
	}
}
