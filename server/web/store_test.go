package web_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/server/web"
)

const (
	failed     = "00081198"
	referenced = "00081199"
	others     = "0008119A"
)

func TestStoreTakesWhatClientsSend(t *testing.T) {
	one, two := object{number: 1}.bytes(t), object{number: 2}.bytes(t)
	odd := `'()+_,-./:=?`
	zipped := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, s)
		z.Close()
		return b.String()
	}
	for _, c := range []struct {
		name, contentType, body string
		header                  []string
		want                    int
	}{
		{"quoted", `multipart/related; type="application/dicom"; boundary="b"`, multipart("b", one, two), nil, 2},
		{"unquoted type", `multipart/related; type=application/dicom; boundary=b`, multipart("b", one, two), nil, 2},
		{"no type", `multipart/related; boundary=b`, multipart("b", one), nil, 1},
		{"odd boundary, unquoted", `multipart/related;type=application/dicom;boundary=` + odd, multipart(odd, one), nil, 1},
		{"odd boundary, quoted", `multipart/related; type="application/dicom"; boundary="` + odd + `"`, multipart(odd, one), nil, 1},
		{"npm client: CRLF before, NULs after", `multipart/related; type="application/dicom"; boundary="b"`, "\r\n" + strings.TrimSuffix(multipart("b", one, two), "\r\n") + "\x00\x00\x00\x00", nil, 2},
		{"preamble and epilogue", `multipart/related; type="application/dicom"; boundary=b`, "hello\r\n" + multipart("b", one) + "bye", nil, 1},
		{"dcm4chee: transfer syntax in the types", `multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1; boundary=b`,
			strings.ReplaceAll(multipart("b", one), "Content-Type: application/dicom", "content-type: application/dicom;transfer-syntax=1.2.840.10008.1.2.1\r\nContent-Length: 5\r\nMIME-Version: 1.0"), nil, 1},
		{"gzip", `multipart/related; type="application/dicom"; boundary=b`, zipped(multipart("b", one, two)), []string{"Content-Encoding: gzip"}, 2},
		{"single part", `application/dicom`, string(one), nil, 1},
		{"Accept */*", `multipart/related; type="application/dicom"; boundary=b`, multipart("b", one), []string{"Accept: */*"}, 1},
		{"Expect: 100-continue", `multipart/related; type="application/dicom"; boundary=b`, multipart("b", one), []string{"Expect: 100-continue"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := start(t, web.Config{})
			for _, chunked := range []bool{false, true} {
				var body io.Reader = strings.NewReader(c.body)
				if chunked {
					body = io.MultiReader(body) // hides the length
				}
				got := n.do("POST", "/studies/", body, append(c.header, "Content-Type: "+c.contentType)...)
				if got.StatusCode != 200 || got.Header.Get("Content-Type") != "application/dicom+json" {
					t.Fatalf("chunked %t: %s %s %s, want 200 application/dicom+json", chunked, got.Status, got.Header.Get("Content-Type"), got.body)
				}
				r := got.storeResponse(t)
				if len(r[referenced].Value) != c.want || r[failed].Value != nil {
					t.Errorf("chunked %t: %s, want %d instances and no failure", chunked, got.body, c.want)
				}
				if want := n.dicom + "/studies/" + study; !strings.Contains(string(got.body), `"00081190":{"vr":"UR","Value":["`+want+`"]}`) {
					t.Errorf("no Retrieve URL %s in %s", want, got.body)
				}
			}
			if got := n.get("/instances").json(t); len(got) != c.want {
				t.Errorf("%d instances are found, want %d", len(got), c.want)
			}
		})
	}
}

func TestStoreTellsWhatFailed(t *testing.T) {
	one := object{number: 1}.bytes(t)
	other := object{study: "1.2.3", number: 2}.bytes(t)
	changed := object{number: 1, patient: "Phantom^Two"}.bytes(t)
	const related = `multipart/related; type="application/dicom"; boundary=b`
	whole := multipart("b", one, object{number: 2}.bytes(t))
	for _, c := range []struct {
		name, path, contentType, body string
		header                        []string
		status                        int
		stored, failures              int
		text                          string
	}{
		{"one good and one garbage part", "/studies", related, multipart("b", []byte("garbage"), one), nil, 202, 1, 1, "not a DICOM file"},
		{"garbage only", "/studies", related, multipart("b", []byte("garbage")), nil, 409, 0, 1, "49152"},
		{"a text part", "/studies", related, strings.Replace(multipart("b", []byte("hello"), one), "application/dicom", "text/plain", 1), nil, 202, 1, 1, "but text/plain"},
		{"one of the study and one not", "/studies/" + study, related, multipart("b", other, one), nil, 202, 1, 1, "272"},
		{"another study only", "/studies/" + study, related, multipart("b", other), nil, 409, 0, 1, "belongs to another study"},
		{"cut in the second part", "/studies", related, whole[:len(whole)-100], nil, 400, 1, 1, "cut short"},
		{"cut before the closing boundary", "/studies", related, strings.TrimSuffix(multipart("b", one), "\r\n--b--\r\n"), nil, 400, 0, 1, "cut short"},
		{"other content under the same UID", "/studies", related, multipart("b", one, changed), nil, 202, 2, 0, `"00081196":{"vr":"US","Value":[45056]}`},
		{"empty", "/studies", related, "", nil, 400, 0, 0, "empty"},
		{"empty single part", "/studies", "application/dicom", "", nil, 400, 0, 0, "empty"},
		{"single part of garbage", "/studies", "application/dicom", "garbage", nil, 409, 0, 1, "not a DICOM file"},
		{"no parts", "/studies", related, "--b--\r\n", nil, 400, 0, 0, "no parts"},
		{"boundary that does not occur", "/studies", related, multipart("c", one), nil, 400, 0, 0, "boundary"},
		{"no boundary", "/studies", "multipart/related; type=application/dicom", multipart("c", one), nil, 400, 0, 0, "boundary"},
		{"text/plain", "/studies", "text/plain", "hello", nil, 415, 0, 0, "application/dicom"},
		{"no Content-Type", "/studies", "", "hello", nil, 415, 0, 0, "application/dicom"},
		{"parts of image/png", "/studies", `multipart/related; type="image/png"; boundary=b`, multipart("b", one), nil, 415, 0, 0, "image/png"},
		{"brotli", "/studies", related, multipart("b", one), []string{"Content-Encoding: br"}, 415, 0, 0, "gzip"},
		{"gzip that is none", "/studies", related, multipart("b", one), []string{"Content-Encoding: gzip"}, 400, 0, 0, "gzip"},
		{"Accept text/html", "/studies", related, multipart("b", one), []string{"Accept: text/html"}, 406, 0, 0, "application/dicom+json"},
		{"malformed study UID", "/studies/x", related, multipart("b", one), nil, 400, 0, 0, "UID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := start(t, web.Config{})
			got := n.do("POST", c.path, strings.NewReader(c.body), append(c.header, "Content-Type: "+c.contentType)...)
			if got.StatusCode != c.status || !strings.Contains(string(got.body), c.text) {
				t.Fatalf("%s %s, want %d and %q in it", got.Status, got.body, c.status, c.text)
			}
			if c.stored+c.failures > 0 {
				r := got.storeResponse(t)
				if len(r[referenced].Value) != c.stored || len(r[failed].Value) != c.failures {
					t.Errorf("%s: want %d stored and %d failed", got.body, c.stored, c.failures)
				}
			}
			want := min(c.stored, 1) // the duplicate is one instance
			if found := n.get("/instances"); want == 0 && found.StatusCode != 204 || want == 1 && len(found.json(t)) != 1 {
				t.Errorf("found %s %s, want %d instances", found.Status, found.body, want)
			}
		})
	}
}

func TestStoreKeepsTheFirstContent(t *testing.T) {
	n := start(t, web.Config{})
	one := object{number: 1}.bytes(t)
	n.store(one)
	n.store(one)
	n.do("POST", "/studies", bytes.NewReader(object{number: 1, patient: "Phantom^Two"}.bytes(t)), "Content-Type: application/dicom")
	got := n.get("/studies/"+study, "Accept: multipart/related; type=application/dicom; transfer-syntax=*")
	if parts, _, _ := got.parts(t); len(parts) != 1 || !bytes.Equal(parts[0], one) {
		t.Errorf("%d parts, want the bytes that came first", len(parts))
	}
}

// full is an archive without space.
type full struct{ web.Archive }

func (full) Put(_ context.Context, r io.Reader, _ archive.PutOptions) (archive.Receipt, error) {
	io.CopyN(io.Discard, r, 10)
	return archive.Receipt{}, fmt.Errorf("stage: %w", archive.ErrNoSpace)
}

func TestStoreWithoutSpace(t *testing.T) {
	n := start(t, web.Config{Archive: full{}})
	got := n.do("POST", "/studies", bytes.NewReader(object{number: 1}.bytes(t)), "Content-Type: application/dicom")
	if got.StatusCode != 503 || got.Header.Get("Retry-After") == "" || !strings.Contains(string(got.body), "42752") {
		t.Errorf("%s, Retry-After %q, %s; want 503 with reason A700H", got.Status, got.Header.Get("Retry-After"), got.body)
	}
}

// broken is an archive that fails.
type broken struct{ web.Archive }

func (broken) Put(context.Context, io.Reader, archive.PutOptions) (archive.Receipt, error) {
	return archive.Receipt{}, fmt.Errorf("database of Phantom^One is on fire")
}

func TestStoreHidesInnerErrors(t *testing.T) {
	n := start(t, web.Config{Archive: broken{}})
	got := n.do("POST", "/studies", bytes.NewReader(object{number: 1}.bytes(t)), "Content-Type: application/dicom")
	if got.StatusCode != 500 || strings.Contains(string(got.body), "Phantom") {
		t.Errorf("%s %s, want 500 without details", got.Status, got.body)
	}
}

func TestStoreRefusesTooMuch(t *testing.T) {
	n := start(t, web.Config{MaxRequestBytes: 2000})
	one := object{number: 1}.bytes(t)
	big := object{number: 2, change: func(d *dicom.Dataset) { d.SetVR(tag.PixelData, dicom.OW, make([]byte, 5000)) }}.bytes(t)
	body := multipart("b", one, big)
	const contentType = `Content-Type: multipart/related; type="application/dicom"; boundary=b`
	if got := n.do("POST", "/studies", strings.NewReader(body), contentType); got.StatusCode != 413 || !strings.Contains(string(got.body), "2000 bytes") {
		t.Errorf("a length that is too large: %s %s, want 413 that names the limit", got.Status, got.body)
	}
	got := n.do("POST", "/studies", io.MultiReader(strings.NewReader(body)), contentType) // which hides the length
	if got.StatusCode != 413 || len(got.storeResponse(t)[referenced].Value) != 1 {
		t.Errorf("%s %s, want 413 with the first instance stored", got.Status, got.body)
	}
	// 100 KiB of zeros shrink below the limit when compressed, and pass it when not.
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(make([]byte, 100<<10))
	z.Close()
	if got = n.do("POST", "/studies", &b, "Content-Type: application/dicom", "Content-Encoding: gzip"); got.StatusCode != 413 {
		t.Errorf("inflating to too much: %s %s, want 413", got.Status, got.body)
	}
}

// TestStoreFromAClientThatDies sends a Content-Length and less than that.
func TestStoreFromAClientThatDies(t *testing.T) {
	n := start(t, web.Config{})
	body := multipart("b", object{number: 1}.bytes(t), object{number: 2}.bytes(t))
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.root, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /dicom-web/studies HTTP/1.1\r\nHost: node\r\nContent-Type: multipart/related; type=application/dicom; boundary=b\r\nContent-Length: %d\r\n\r\n%s",
		len(body), body[:len(body)-50])
	conn.(*net.TCPConn).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 400 || !strings.Contains(string(b), "cut short") {
		t.Errorf("%s %s, want 400", resp.Status, b)
	}
	if got := n.get("/instances").json(t); len(got) != 1 {
		t.Errorf("%d instances stored, want the one that was whole", len(got))
	}
}
