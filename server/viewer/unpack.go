package viewer

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
)

// Bounds of a package. The published one of OHIF 3.13.2 is a tarball of 50 MB with 250 files, 204 MB in all, the largest
// 20 MB: there is room for the next ones, and none for a bomb.
const (
	maxTarball = 128 << 20 // bytes of the .tgz
	maxEntries = 4000
	maxFile    = 64 << 20  // bytes of one file
	maxTotal   = 512 << 20 // bytes of all files
	maxName    = 200       // bytes of a path
)

// packed is the folder that npm packs all into.
const packed = "package/"

// leftOut reports whether a file below dist/ stays out: source maps, the service worker that OHIF does not start any
// more, and the ONNX runtime (half of the package), whose only use is a tool that loads its model from the internet.
func leftOut(name string) bool {
	return strings.HasSuffix(name, ".map") || strings.HasPrefix(name, "ort/") || name == "sw.js"
}

// unpack writes dist/ and LICENSE of a package into the folder, which is empty, and returns what package.json says and
// how much was written. Files that shrink are stored with gzip only, as NAME.gz: they are sent so.
func unpack(ctx context.Context, tgz io.Reader, folder *os.Root) (Installed, error) {
	var in Installed
	z, err := gzip.NewReader(tgz)
	if err != nil {
		return in, fmt.Errorf("not a gzip file: %w", err)
	}
	// Headers and padding count here too, which the sum of the sizes below does not see.
	entries, total := 0, int64(0)
	for t := tar.NewReader(io.LimitReader(z, maxTotal)); ; entries++ {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return in, err
		}
		total += h.Size
		switch name, err := entryName(h); {
		case err != nil:
			return in, err
		case entries >= maxEntries || total > maxTotal:
			return in, fmt.Errorf("it holds more than %d entries or %d bytes", maxEntries, maxTotal)
		case h.Typeflag == tar.TypeDir:
		case name == "package.json":
			if err := readPackage(t, &in); err != nil {
				return in, err
			}
		case name == "LICENSE" || strings.HasPrefix(name, "dist/") && !leftOut(name[len("dist/"):]):
			n, err := store(folder, name, t)
			if err != nil {
				return in, err
			}
			in.Files, in.Bytes = in.Files+1, in.Bytes+n
		}
	}
	if in.Package == "" {
		return in, errors.New("it has no package.json")
	}
	for _, f := range []string{"dist/index.html.gz", "dist/app-config.js.gz"} {
		if _, err := folder.Stat(f); err != nil {
			return in, fmt.Errorf("it has no %s: not a built viewer", strings.TrimSuffix(f, ".gz"))
		}
	}
	return in, nil
}

// entryName returns an entry's path below package/, or why the package is refused: an honest one holds only plain files
// under plain names.
func entryName(h *tar.Header) (string, error) {
	shown := fmt.Sprintf("%.60q", h.Name)
	if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir {
		return "", fmt.Errorf("entry %s is a link or device", shown)
	}
	name, below := strings.CutPrefix(strings.TrimSuffix(h.Name, "/"), packed)
	if h.Typeflag == tar.TypeDir && h.Name == packed {
		return "", nil
	}
	if !below || len(name) > maxName || !fs.ValidPath(name) || strings.ContainsAny(name, "\\:\x00") {
		return "", fmt.Errorf("entry %s does not lie below package/", shown)
	}
	if h.Size < 0 || h.Size > maxFile {
		return "", fmt.Errorf("entry %s has %d bytes, more than %d", shown, h.Size, maxFile)
	}
	return name, nil
}

// readPackage reads package.json.
func readPackage(r io.Reader, in *Installed) error {
	var p struct{ Name, Version, License string }
	if err := json.NewDecoder(io.LimitReader(r, 1<<20)).Decode(&p); err != nil {
		return fmt.Errorf("package.json: %w", err)
	}
	if p.Name != Package || !versionForm.MatchString(p.Version) {
		return fmt.Errorf("it is %.60q %.40q, not %s", p.Name, p.Version, Package)
	}
	in.Package, in.Version, in.Licence = p.Name, p.Version, p.License
	return nil
}

// store writes one file, which must not be there yet, and returns the bytes that it takes.
func store(folder *os.Root, name string, r io.Reader) (int64, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", name, err)
	}
	switch path.Ext(name) {
	case ".css":
		b = relativeURLs(b, name)
	case ".js":
		b = bytes.ReplaceAll(b, []byte(publicPath), []byte(ownPath))
	case ".html", ".json", ".jsonc", ".svg", ".wasm", ".xml":
	default:
		return write(folder, name, b)
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b) // to memory: no error
	w.Close()
	return write(folder, name+".gz", z.Bytes())
}

// The bundles load each other from publicPath, the root of the server, which webpack writes into each bundle that can
// begin. ownPath is where they really lie: the page says it (index.html sets PUBLIC_URL), and a worker lies beside them.
const (
	publicPath = `__webpack_require__.p = "/";`
	ownPath    = `__webpack_require__.p = self.PUBLIC_URL || self.location.pathname.replace(/[^/]*$/, "");`
)

var rootURL = regexp.MustCompile(`url\((['"]?)/([^/])`)

// relativeURLs makes a style sheet's references to the site's root relative: the viewer does not lie at the root.
func relativeURLs(css []byte, name string) []byte {
	up := strings.Repeat("../", strings.Count(name, "/")-1)
	return rootURL.ReplaceAll(css, []byte("url(${1}"+up+"${2}"))
}

func write(folder *os.Root, name string, b []byte) (int64, error) {
	if err := folder.MkdirAll(path.Dir(name), 0o755); err != nil {
		return 0, err
	}
	f, err := folder.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	_, err = f.Write(b)
	return int64(len(b)), errors.Join(err, f.Close())
}
