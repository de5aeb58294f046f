package wado_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/uid"
)

const zipped = "application/zip"

func entries(t *testing.T, body []byte) (names []string, files [][]byte) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		if f.Method != zip.Store || f.Flags&8 != 0 {
			t.Errorf("%s: method %d, flags %x: stored with its size before its bytes is wanted", f.Name, f.Method, f.Flags)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r) // checks the checksum
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		names, files = append(names, f.Name), append(files, b)
	}
	return names, files
}

func TestZip(t *testing.T) {
	stored := mixed(t)
	s := service(t, stored...)
	name := func(n string) string { return ref.Series + "/" + ref.Instance + n + ".dcm" }
	first := dicomweb.Ref{Study: ref.Study, Series: ref.Series, Instance: ref.Instance + ".1"}
	for _, c := range []struct {
		name   string
		at     dicomweb.Ref
		accept string
		status int
		want   []string
		file   string // of the answer's disposition
		syntax map[string]string
	}{
		{"study as stored", dicomweb.Ref{Study: ref.Study}, zipped + "; transfer-syntax=*", 200, []string{name(""), name(".1"), name(".2"), name(".3"), name(".4")}, ref.Series, nil},
		{"study, default", dicomweb.Ref{Study: ref.Study}, zipped, 206, []string{name(""), name(".1"), name(".3"), name(".4")}, ref.Series,
			map[string]string{name(""): uid.ExplicitVRLittleEndian, name(".1"): uid.ExplicitVRLittleEndian, name(".3"): uid.RLELossless, name(".4"): uid.ExplicitVRLittleEndian}},
		{"series", dicomweb.Ref{Study: ref.Study, Series: ref.Series}, zipped + "; transfer-syntax=" + uid.RLELossless, 206, []string{name(""), name(".1"), name(".3")}, ref.Series,
			map[string]string{name(""): uid.RLELossless}},
		{"instance", first, zipped, 200, []string{name(".1")}, first.Instance, map[string]string{name(".1"): uid.ExplicitVRLittleEndian}},
		{"instance that is broken", dicomweb.Ref{Study: ref.Study, Series: ref.Series, Instance: ref.Instance + ".3"}, zipped, 406, nil, "", nil},
		{"instance without a decoder", dicomweb.Ref{Study: ref.Study, Series: ref.Series, Instance: ref.Instance + ".2"}, zipped, 406, nil, "", nil},
		{"unknown study", dicomweb.Ref{Study: "9.9"}, zipped, 404, nil, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, status := call(s.Instances, c.at, c.accept)
			if status != c.status {
				t.Fatalf("status %d, want %d", status, c.status)
			}
			if c.want == nil {
				return
			}
			body := bytes.Clone(w.Body.Bytes())
			names, files := entries(t, body)
			if want := slices.Sorted(slices.Values(c.want)); !slices.Equal(slices.Sorted(slices.Values(names)), want) {
				t.Errorf("names %v, want %v", names, want)
			}
			for i, n := range names {
				if f := scanned(t, files[i]); c.syntax[n] != "" && f.TransferSyntax != c.syntax[n] {
					t.Errorf("%s is in %s, want %s", n, f.TransferSyntax, c.syntax[n])
				} else if c.syntax == nil && !slices.ContainsFunc(stored, func(b []byte) bool { return bytes.Equal(b, files[i]) }) {
					t.Errorf("%s is not as it was stored", n)
				}
			}
			if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="`+c.file+`.zip"` || w.Header().Get("Content-Type") != zipped {
				t.Errorf("%s as %s", w.Header().Get("Content-Type"), got)
			}
			if n := w.Header().Get("Content-Length"); n != "" && n != fmt.Sprint(len(body)) || c.syntax == nil && n == "" {
				t.Errorf("Content-Length %q, the body has %d bytes", n, len(body))
			}
			if w2, _ := call(s.Instances, c.at, c.accept); !bytes.Equal(w2.Body.Bytes(), body) {
				t.Error("the second time the bytes differ")
			}
			if got := again(s.Instances, c.at, c.accept, w.Header().Get("ETag")); got != 304 {
				t.Errorf("asked again: %d, want 304", got)
			}
			r := httptest.NewRequest("HEAD", "/?accept="+strings.ReplaceAll(c.accept, " ", ""), nil)
			head := httptest.NewRecorder()
			if err := s.Instances(head, r, c.at); err != nil || head.Body.Len() > 0 || head.Header().Get("Content-Length") != w.Header().Get("Content-Length") {
				t.Errorf("HEAD: %d bytes, Content-Length %q, %v", head.Body.Len(), head.Header().Get("Content-Length"), err)
			}
			programs(t, body, len(names))
		})
	}
}

// programs has others read the file, also as it comes: bsdtar and jar see a pipe.
func programs(t *testing.T, body []byte, files int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "it.zip")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"unzip -tqq " + path, "python3 -m zipfile -t " + path, "bsdtar -tf - <" + path, "jar -t <" + path} {
		name, _, _ := strings.Cut(line, " ")
		if _, err := exec.LookPath(name); err != nil {
			continue
		}
		out, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput()
		if err != nil || strings.Contains(line, "<") && bytes.Count(out, []byte(".dcm")) != files {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}

// TestZipOfWhatCannotBeCompressed zips a mask of bits among images: only its header tells that it cannot be compressed.
func TestZipOfWhatCannotBeCompressed(t *testing.T) {
	mask := number(image(3, 3, 3, 1, dicom.OB, []byte{0xFF, 0x01, 0x54, 0x05}), 1)
	s := service(t, encode(shapes()[0].dataset(), uid.ExplicitVRLittleEndian), encode(mask, uid.ExplicitVRLittleEndian))
	study := dicomweb.Ref{Study: ref.Study}
	w, status := call(s.Instances, study, zipped+"; transfer-syntax="+uid.JPEGLSLossless)
	if names, _ := entries(t, w.Body.Bytes()); status != 206 || len(names) != 1 {
		t.Errorf("JPEG-LS alone: %d with %v, want 206 without the mask", status, names)
	}
	w, status = call(s.Instances, study, zipped+"; transfer-syntax="+uid.JPEGLSLossless+", "+zipped+"; q=0.5")
	if names, _ := entries(t, w.Body.Bytes()); status != 200 || len(names) != 2 {
		t.Errorf("JPEG-LS, or explicit: %d with %v, want 200 and both", status, names)
	}
}

// TestZipThatCannotBe: an error is no file to be saved.
func TestZipThatCannotBe(t *testing.T) {
	s := service(t, encode(image(1, 3, 1, 8, "", nil), uid.RLELossless, "garbage!"))
	w, status := call(s.Instances, ref, zipped)
	if status != 406 || w.Header().Get("Content-Disposition") != "" {
		t.Errorf("%d with Content-Disposition %q, want 406 without", status, w.Header().Get("Content-Disposition"))
	}
}
