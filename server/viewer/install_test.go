package viewer_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mome/server/viewer"
)

// entry is one of a tarball; a plain file unless kind says otherwise.
type entry struct {
	name, body string
	kind       byte
	link       string
	size       int64 // that the header claims, if not the body's
}

// indexHTML refers to the server's root as OHIF's own page does.
const indexHTML = `<!doctype html><html><head><meta name="msapplication-TileImage" content="/assets/mstile-144x144.png">` +
	`<script>window.PUBLIC_URL="/"</script><link rel="icon" href="/assets/favicon.ico"><script src="/app-config.js"></script>` +
	`<script defer src="/app.bundle.0123456789abcdef.js"></script><a href="//elsewhere/">x</a></head></html>`

// whole is a package as npm packs it, in small.
func whole(version string) []entry {
	return []entry{
		{name: "package/package.json", body: `{"name":"@ohif/app","version":"` + version + `","license":"MIT"}`},
		{name: "package/LICENSE", body: "MIT"},
		{name: "package/dist/index.html", body: indexHTML},
		{name: "package/dist/app-config.js", body: "window.config = {};"},
		{name: "package/dist/app.bundle.0123456789abcdef.js", body: `__webpack_require__.p = "/"; // ` + version + strings.Repeat(" ", 2000)},
		{name: "package/dist/app.bundle.css", body: "@font-face{src:url(/a.woff2)} a{background:url(//host/x)}"},
		{name: "package/dist/sub/more.css", body: "a{background:url('/a.png')}"},
		{name: "package/dist/decoder.0123456789abcdef.wasm", body: "\x00asm"},
		{name: "package/dist/a.woff2", body: "font"},
		{name: "package/dist/app.bundle.js.map", body: "{}"},
		{name: "package/dist/ort/ort.js", body: "runtime"},
	}
}

// pack writes a .tgz and returns its path and digest.
func pack(t *testing.T, entries []entry) (file, integrity string) {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Size: int64(len(e.body)), Mode: 0o644, Format: tar.FormatPAX}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if e.size > 0 {
			h.Size = e.size
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush() // not Close: a header may claim more than there is
	z.Close()
	file = filepath.Join(t.TempDir(), "app.tgz")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(b.Bytes())
	return file, "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

// install packs and installs, and wants success.
func install(t *testing.T, dir string, entries []entry) viewer.Installed {
	t.Helper()
	file, integrity := pack(t, entries)
	in, err := viewer.Install(t.Context(), dir, file, integrity)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestInstall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "viewer")
	in := install(t, dir, whole("1.2.3"))
	if in.Package != "@ohif/app" || in.Version != "1.2.3" || in.Licence != "MIT" || in.Files != 9-1 {
		t.Errorf("installed %+v, want version 1.2.3 with 8 files: all but source maps and the ONNX runtime", in)
	}
	list, err := viewer.Status(dir)
	if err != nil || len(list) != 1 || list[0] != in {
		t.Errorf("status %+v, %v, want %+v", list, err, in)
	}
	// Another version takes its place, the same one replaces itself, and nothing is left over.
	for _, v := range []string{"1.2.4", "1.2.4"} {
		install(t, dir, whole(v))
		if entries, _ := os.ReadDir(dir); len(entries) != 1 || entries[0].Name() != v {
			t.Errorf("after version %s the folder holds %v", v, entries)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := viewer.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 || entries[0].Name() != "mine" {
		t.Errorf("after removal the folder holds %v, want only what was not installed", entries)
	}
	if list, err := viewer.Status(dir); err != nil || len(list) != 0 {
		t.Errorf("status after removal: %v, %v", list, err)
	}
	if err := viewer.Remove(filepath.Join(dir, "none")); err != nil {
		t.Error("remove where nothing is:", err)
	}
}

// TestHostilePackages: what is refused is refused whole, and nothing lies outside or is left behind.
func TestHostilePackages(t *testing.T) {
	many := make([]entry, 4001)
	for i := range many {
		many[i] = entry{name: "package/dist/d", kind: tar.TypeDir}
	}
	for _, c := range []struct {
		name  string
		extra []entry
		want  string
	}{
		{"climbs out", []entry{{name: "package/../../evil", body: "x"}}, "below package"},
		{"climbs out below dist", []entry{{name: "package/dist/../../../evil", body: "x"}}, "below package"},
		{"absolute", []entry{{name: "/etc/evil", body: "x"}}, "below package"},
		{"backslashes", []entry{{name: `package/dist/..\..\evil`, body: "x"}}, "below package"},
		{"drive", []entry{{name: "package/dist/c:evil", body: "x"}}, "below package"},
		{"elsewhere", []entry{{name: "other/evil", body: "x"}}, "below package"},
		{"symbolic link", []entry{{name: "package/dist/l", kind: tar.TypeSymlink, link: "/etc"}}, "link or device"},
		{"hard link", []entry{{name: "package/dist/l", kind: tar.TypeLink, link: "package/LICENSE"}}, "link or device"},
		{"device", []entry{{name: "package/dist/d", kind: tar.TypeChar}}, "link or device"},
		{"same name twice", []entry{{name: "package/dist/index.html", body: "other"}}, "exists"},
		{"file as folder", []entry{{name: "package/dist/a.woff2/x.png", body: "x"}}, ""},
		{"long name", []entry{{name: "package/dist/" + strings.Repeat("n", 300), body: "x"}}, "below package"},
		{"huge file", []entry{{name: "package/dist/big", size: 65 << 20}}, "bytes, more than"},
		{"cut short", []entry{{name: "package/dist/short.png", body: "x", size: 1 << 20}}, "unexpected EOF"},
		{"too many", many, "more than 4000 entries"},
		{"another package", []entry{{name: "package/package.json", body: `{"name":"left-pad","version":"1.0.0"}`}}, "not @ohif/app"},
		{"version that climbs", []entry{{name: "package/package.json", body: `{"name":"@ohif/app","version":"../1"}`}}, "not @ohif/app"},
	} {
		t.Run(c.name, func(t *testing.T) {
			above := t.TempDir()
			dir := filepath.Join(above, "viewer")
			install(t, dir, whole("1.0.0")) // what is there must survive
			file, integrity := pack(t, append(whole("2.0.0"), c.extra...))
			_, err := viewer.Install(t.Context(), dir, file, integrity)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			for _, d := range []string{above, dir} {
				if entries, _ := os.ReadDir(d); len(entries) != 1 {
					t.Errorf("%s holds %v, want one entry", d, entries)
				}
			}
			if list, err := viewer.Status(dir); err != nil || len(list) != 1 || list[0].Version != "1.0.0" {
				t.Errorf("status %v, %v, want the version from before", list, err)
			}
		})
	}
}

func TestInstallWantsTheKnownDigest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "viewer")
	file, integrity := pack(t, whole(viewer.Version))
	if _, err := viewer.Install(t.Context(), dir, file, ""); err == nil || !strings.Contains(err.Error(), integrity) {
		t.Errorf("a package that only says that it is %s: %v, want an error that tells its digest", viewer.Version, err)
	}
	if _, err := viewer.Install(t.Context(), dir, file, "sha512-AAAA"); err == nil || !strings.Contains(err.Error(), "expected is sha512-AAAA") {
		t.Errorf("another digest than demanded: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made for a package that was refused: %v", err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := viewer.Install(stopped, dir, file, integrity); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	if _, err := viewer.Install(t.Context(), dir, filepath.Join(dir, "none.tgz"), ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	for _, missing := range []string{"package/package.json", "package/dist/index.html"} {
		var some []entry
		for _, e := range whole("1.0.0") {
			if e.name != missing {
				some = append(some, e)
			}
		}
		file, integrity := pack(t, some)
		if _, err := viewer.Install(t.Context(), dir, file, integrity); err == nil || !strings.Contains(err.Error(), "it has no") {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

func TestPackSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := viewer.Pack(t.Context(), viewer.Version, t.TempDir()); err == nil || !strings.Contains(err.Error(), "--from") {
		t.Errorf("without npm: %v, want the way without it", err)
	}
	for _, v := range []string{"", "latest", "1.2.3 --registry=x", "../x", "-1.2.3"} {
		if _, err := viewer.Pack(t.Context(), v, t.TempDir()); err == nil || !strings.Contains(err.Error(), "no version") {
			t.Errorf("version %q: %v", v, err)
		}
	}
}
