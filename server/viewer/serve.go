package viewer

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/mediatype"
)

//go:embed app-config.js
var appConfig []byte

//go:embed absent.html
var absentHTML []byte

// site is an installation that is served.
type site struct {
	Installed
	dist string // folder
	tag  string // identifies the installation in ETags
}

// openSite returns the installation in dir, the newest by name if there are two, nil if there is none.
func openSite(dir string) *site {
	list, err := Status(dir)
	if err != nil || len(list) == 0 {
		return nil
	}
	in := list[len(list)-1]
	sum := sha256.Sum256([]byte(in.Integrity))
	return &site{Installed: in, dist: filepath.Join(dir, in.Version, "dist"), tag: base64.RawURLEncoding.EncodeToString(sum[:9])}
}

// Serve answers GET of Path (name "") and of what lies below it. base is the path of the node's root as clients see it,
// "" or "/mome" behind a proxy that adds it. Errors are of the kinds of dicomweb.
func (v *Viewer) Serve(w http.ResponseWriter, r *http.Request, base, name string) error {
	h := w.Header()
	s := v.site()
	switch {
	case s == nil:
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNotFound)
		_, err := w.Write(absentHTML)
		return err
	case name == "" && r.URL.Query().Has("StudyInstanceUIDs"):
		// The mode that shows studies has the route "viewer" below the base path, so that links would say it twice.
		http.Redirect(w, r, base+Path+"/viewer?"+r.URL.RawQuery, http.StatusFound)
		return nil
	case name == "app-config.js":
		return s.config(w, r, base)
	case name == "" || name == "index.html" || path.Ext(name) == "" || strings.HasPrefix(name, "viewer/"):
		return s.index(w, r, base)
	}
	return s.file(w, r, name)
}

// config answers with OHIF's settings: the constant part, and where the node lies.
func (s *site) config(w http.ResponseWriter, r *http.Request, base string) error {
	at, err := json.Marshal(base) // also escapes what could end the script
	if err != nil {
		return err
	}
	body := append(fmt.Appendf(nil, "const nodePath = %s;\n", at), appConfig...)
	return answer(w, r, "text/javascript; charset=utf-8", body)
}

var (
	rootAttribute = regexp.MustCompile(`\b((?:href|src|content)=")/([^/"])`)
	inlineScript  = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// index answers with OHIF's page: its references to the root of the server point below Path, and only its own scripts
// may run.
func (s *site) index(w http.ResponseWriter, r *http.Request, base string) error {
	b, err := s.read("index.html")
	if err != nil {
		return err
	}
	at := base + Path + "/"
	b = rootAttribute.ReplaceAll(b, []byte("${1}"+at+"${2}"))
	b = bytes.ReplaceAll(b, []byte(`PUBLIC_URL="/"`), []byte(`PUBLIC_URL="`+at+`"`))
	scripts := ""
	for _, m := range inlineScript.FindAllSubmatch(b, -1) {
		sum := sha256.Sum256(m[1])
		scripts += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	h := w.Header()
	// What the page holds is a patient's: it talks to this node alone. Decoders are WebAssembly in workers made of blobs,
	// OHIF's reader of segmentations compiles functions (unsafe-eval), and the style sheets that React writes have no nonce.
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self' 'unsafe-eval' blob:"+scripts+
		"; worker-src 'self' blob:; connect-src 'self' blob: data:; img-src 'self' blob: data:; media-src 'self' blob:"+
		"; style-src 'self' 'unsafe-inline'; font-src 'self' data:; frame-src 'self' blob:; object-src 'self' blob:"+
		"; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
	h.Set("Referrer-Policy", "no-referrer")
	return answer(w, r, "text/html; charset=utf-8", b)
}

// answer sends what was made for this request. The client asks each time whether it changed.
func answer(w http.ResponseWriter, r *http.Request, contentType string, body []byte) error {
	sum := sha256.Sum256(body)
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-cache")
	// Weak, since it may be compressed on its way.
	h.Set("ETag", `W/"`+base64.RawURLEncoding.EncodeToString(sum[:9])+`"`)
	r.Header.Del("Range")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	return nil
}

// hashed matches names that change with their content, as the bundler writes them.
var hashed = regexp.MustCompile(`(^|[./])[0-9a-f]{16,}\.`)

// file answers with a file of the package, compressed as it is stored if the client takes that.
func (s *site) file(w http.ResponseWriter, r *http.Request, name string) error {
	f, packed, err := s.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", typeOf(name))
	h.Set("Cache-Control", "no-cache")
	if hashed.MatchString(name) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("ETag", `W/"`+s.tag+`"`) // of the installation: nothing in it changes
	r.Header.Del("Range")          // of files that are sent compressed nobody needs a part
	switch {
	case packed && !mediatype.TakesGzip(r):
		z, err := gzip.NewReader(f)
		if err != nil {
			return fmt.Errorf("viewer: %s: %w", name, err)
		}
		_, err = io.Copy(w, z)
		return err
	case packed:
		h.Set("Content-Encoding", "gzip")
		if info, err := f.Stat(); err == nil && r.Header.Get("If-None-Match") == "" {
			h.Set("Content-Length", fmt.Sprint(info.Size()))
		}
	}
	http.ServeContent(w, r, "", time.Time{}, f)
	return nil
}

// open opens a file of dist/, which may be stored with gzip.
func (s *site) open(name string) (f *os.File, packed bool, err error) {
	if !fs.ValidPath(name) {
		return nil, false, dicomweb.Errorf(dicomweb.BadRequest, "the path is no plain path")
	}
	for _, stored := range []string{name + ".gz", name} {
		if f, err = os.OpenInRoot(s.dist, filepath.FromSlash(stored)); err != nil {
			continue
		}
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return f, stored != name, nil
		}
		f.Close()
		break
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("viewer: %w", err)
	}
	return nil, false, dicomweb.Errorf(dicomweb.NotFound, "the viewer has no such file")
}

// read returns a file that is stored with gzip.
func (s *site) read(name string) ([]byte, error) {
	f, _, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("viewer: %s: %w", name, err)
	}
	return io.ReadAll(io.LimitReader(z, maxFile))
}

// typeOf returns the type by the name's end. The system's table, which mime reads too, is not asked for those that a
// browser insists on.
func typeOf(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".wasm":
		return "application/wasm"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json", ".jsonc", ".webapp":
		return "application/json"
	case ".woff2":
		return "font/woff2"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}
