package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mome/dicomweb"
)

// TestCurl uses the node as people do from a shell. Each case stores an instance of its own, or asks for one.
func TestCurl(t *testing.T) {
	curl := program(t, "curl")
	n := startNode(t, t.TempDir())
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	number := 0
	instance := func() (dicomweb.Ref, []byte, string) {
		number++
		ref, b := testImage(t, "curl", number, 600) // above a megabyte curl asks before it sends, Expect: 100-continue
		return ref, b, write(fmt.Sprintf("%d.dcm", number), b)
	}
	const related = `Content-Type: multipart/related; type="application/dicom"`
	for _, c := range []struct {
		name   string
		args   func(b []byte, file string) []string
		status string
		stored bool
	}{
		{"a form with its type replaced", func(_ []byte, file string) []string {
			return []string{"-H", related, "-F", "file=@" + file + ";type=application/dicom"}
		}, "200", true},
		{"the file itself", func(_ []byte, file string) []string {
			return []string{"-H", "Content-Type: application/dicom", "--data-binary", "@" + file}
		}, "200", true},
		{"from standard input, chunked", func(_ []byte, file string) []string {
			return []string{"-X", "POST", "-H", "Content-Type: application/dicom", "-H", "Transfer-Encoding: chunked", "-T", file}
		}, "200", true},
		{"HTTP/1.0", func(_ []byte, file string) []string {
			return []string{"-0", "-H", "Content-Type: application/dicom", "--data-binary", "@" + file}
		}, "200", true},
		{"compressed by gzip", func(b []byte, _ string) []string {
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			w.Write(b)
			w.Close()
			return []string{"-H", "Content-Type: application/dicom", "-H", "Content-Encoding: gzip", "--data-binary", "@" + write("z.gz", z.Bytes())}
		}, "200", true},
		{"bare line feeds and a preamble", func(b []byte, _ string) []string {
			text := "This is a message in parts.\n--x y\nContent-Type: application/dicom\n\n" + string(b) + "\n--x y--\nand an epilogue"
			return []string{"-H", related + `; boundary="x y"`, "--data-binary", "@" + write("lf", []byte(text))}
		}, "200", true},
		{"pixels that begin like the boundary", func(b []byte, _ string) []string {
			copy(b[len(b)/2:], "\r\n--bogus\r\n")
			text := "--b\r\nContent-Type: application/dicom\r\n\r\n" + string(b) + "\r\n--b--\r\n"
			return []string{"-H", related + "; boundary=b", "--data-binary", "@" + write("b", []byte(text))}
		}, "200", true},
		{"cut before the end", func(b []byte, _ string) []string {
			text := "--b\r\nContent-Type: application/dicom\r\n\r\n" + string(b[:len(b)-1])
			return []string{"-H", related + "; boundary=b", "--data-binary", "@" + write("cut", []byte(text))}
		}, "400", false},
		{"a form as curl makes it by itself", func(_ []byte, file string) []string { return []string{"-F", "file=@" + file} }, "415", false},
		{"no type", func(_ []byte, file string) []string {
			return []string{"-H", "Content-Type:", "--data-binary", "@" + file}
		}, "415", false},
		{"nothing", func([]byte, string) []string { return []string{"-H", related + "; boundary=b", "-d", ""} }, "400", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ref, b, file := instance()
			out, err := exec.Command(curl, append([]string{"-sS", "-m", "60", "-w", "\n%{http_code}", n.url() + "/dicom-web/studies"}, c.args(b, file)...)...).CombinedOutput()
			if err != nil {
				t.Fatalf("curl: %v %s", err, out)
			}
			text := strings.TrimSpace(string(out))
			if !strings.HasSuffix(text, "\n"+c.status) {
				t.Errorf("%.500s, want status %s", text, c.status)
			}
			if c.status[0] == '4' && !strings.Contains(text, `"detail"`) && !strings.Contains(text, "00081198") {
				t.Errorf("%.500s says no reason", text)
			}
			got, err := exec.Command(curl, "-sS", "-m", "60", "-f", "-H", "Accept: application/dicom; transfer-syntax=*", n.url()+"/dicom-web/"+ref.Path()).Output()
			if c.stored != (err == nil) {
				t.Errorf("retrieve: %v, stored %v", err, c.stored)
			}
			if c.stored && !bytes.Equal(got, b) {
				t.Errorf("%d bytes came back, %d were sent", len(got), len(b))
			}
		})
	}
}
