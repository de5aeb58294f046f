package related_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
)

func readAll(body io.Reader, boundary string, lim related.Limits) (parts []string, types []string, err error) {
	r, err := related.NewReader(body, boundary, lim)
	if err != nil {
		return nil, nil, err
	}
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return parts, types, nil
		}
		if err != nil {
			return parts, types, err
		}
		b, err := io.ReadAll(p)
		if err != nil {
			return parts, types, err
		}
		parts, types = append(parts, string(b)), append(types, p.Header.Get("Content-Type"))
	}
}

func TestReaderTakesWhatClientsSend(t *testing.T) {
	const dcm = "Content-Type: application/dicom\r\n\r\n"
	for _, c := range []struct {
		name, boundary, body string
		want                 []string
	}{
		{"plain", "b", "--b\r\n" + dcm + "one\r\n--b\r\n" + dcm + "two\r\n--b--\r\n", []string{"one", "two"}},
		{"no line end at the end", "b", "--b\r\n" + dcm + "one\r\n--b--", []string{"one"}},
		{"CRLF first and NULs last, as the npm client", "b", "\r\n--b\r\n" + dcm + "one\r\n--b\r\n" + dcm + "two\r\n--b--\x00\x00\x00", []string{"one", "two"}},
		{"preamble and epilogue", "b", "see --b\r\nhere\r\n--b\r\n" + dcm + "one\r\n--b--\r\nbye --b\r\n", []string{"one"}},
		{"odd boundary", "'()+_,-./:=?", "--'()+_,-./:=?\r\n" + dcm + "one\r\n--'()+_,-./:=?--", []string{"one"}},
		{"lower-case header", "b", "--b\r\ncontent-type:application/dicom\r\n\r\none\r\n--b--", []string{"one"}},
		{"folded and extra headers", "b", "--b\r\nX-A: 1\r\n 2\r\nno colon\r\nContent-ID: <a>\r\n" + dcm + "one\r\n--b--", []string{"one"}},
		{"no header", "b", "--b\r\n\r\none\r\n--b--", []string{"one"}},
		{"empty body", "b", "--b\r\n" + dcm + "\r\n--b--", []string{""}},
		{"empty body without its own line end", "b", "--b\r\n" + dcm + "--b--", []string{""}},
		{"neither header nor body", "b", "--b\r\n--b\r\n" + dcm + "two\r\n--b--", []string{"", "two"}},
		{"bare line feeds", "b", "--b\nContent-Type: application/dicom\n\none\n--b\n\ntwo\r\n--b--\n", []string{"one", "two\r"}},
		{"padding after the boundary", "b", "--b \t\r\n" + dcm + "one\r\n--b  \r\n\r\ntwo\r\n--b--", []string{"one", "two"}},
		{"what only looks like a boundary", "b", "--b\r\n" + dcm + "\r\n--bx\r\n-b--\r\n\r\r\n--\r\n--b--", []string{"\r\n--bx\r\n-b--\r\n\r\r\n--"}},
		{"no parts", "b", "--b--\r\n", nil},
	} {
		for _, chunk := range []string{"whole", "byte by byte", "data with the error"} {
			t.Run(c.name+", "+chunk, func(t *testing.T) {
				var body io.Reader = strings.NewReader(c.body)
				switch chunk {
				case "byte by byte":
					body = iotest.OneByteReader(body)
				case "data with the error":
					body = iotest.DataErrReader(body)
				}
				got, _, err := readAll(body, c.boundary, related.Limits{})
				if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
					t.Errorf("%q: parts %q, %v, want %q", c.body, got, err, c.want)
				}
			})
		}
	}
}

func TestReaderTellsACutBody(t *testing.T) {
	const body = "--bound\r\nContent-Type: application/dicom\r\n\r\none\r\n--bound\r\nContent-Type: a/b\r\n\r\ntwo\r\n--bound--"
	first := strings.Index(body, "\r\n--bound\r\nContent-Type: a/b") + len("\r\n--bound")
	second := len(body) - len("--")
	for n := len("--bound"); n < len(body); n++ {
		got, _, err := readAll(strings.NewReader(body[:n]), "bound", related.Limits{})
		whole := 0
		switch {
		case n >= second:
			whole = 2
		case n >= first:
			whole = 1
		}
		// One byte short of "--bound--" the rest "-" is no boundary yet: the last part is not whole.
		if n == second+1 {
			whole = 1
		}
		if !errors.Is(err, related.ErrCut) || len(got) != whole {
			t.Errorf("cut after %q: %d whole parts and %v, want %d and ErrCut", body[:n], len(got), err, whole)
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name     string
		boundary string
		body     io.Reader
		lim      related.Limits
		want     error
	}{
		{"no boundary", "", strings.NewReader(""), related.Limits{}, related.ErrMalformed},
		{"endless boundary", strings.Repeat("b", 1000), strings.NewReader(""), related.Limits{}, related.ErrMalformed},
		{"empty", "b", strings.NewReader(""), related.Limits{}, related.ErrMalformed},
		{"another boundary", "b", strings.NewReader("--a\r\n\r\none\r\n--a--"), related.Limits{}, related.ErrMalformed},
		{"long header", "b", strings.NewReader("--b\r\nA: " + strings.Repeat("x", 100) + "\r\n\r\none\r\n--b--"), related.Limits{HeaderBytes: 50}, related.ErrMalformed},
		{"endless header line", "b", io.MultiReader(strings.NewReader("--b\r\nA: "), strings.NewReader(strings.Repeat("x", 1<<20))), related.Limits{}, related.ErrMalformed},
		{"too many parts", "b", strings.NewReader("--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--"), related.Limits{Parts: 1}, related.ErrParts},
		{"error of the body", "b", io.MultiReader(strings.NewReader("--b\r\n\r\none"), iotest.ErrReader(boom)), related.Limits{}, boom},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := readAll(c.body, c.boundary, c.lim); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestNextSkipsTheRestOfAPart(t *testing.T) {
	big := strings.Repeat("\r\n--boundar", 20_000)
	body := "--boundary\r\n\r\n" + big + "\r\n--boundary\r\n\r\ntwo\r\n--boundary--"
	r, err := related.NewReader(strings.NewReader(body), "boundary", related.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	p, err = r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(p); string(got) != "two" || err != nil {
		t.Errorf("second part %q, %v, want two", got, err)
	}
}

func TestWriterIsReadBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var parts []string
	for _, n := range []int{0, 1, 63, 64<<10 - 60, 64 << 10, 200_001} {
		b := make([]byte, n)
		for i := range b { // rich in what boundaries are made of
			b[i] = "\r\n-ab0"[rng.IntN(6)]
		}
		parts = append(parts, string(b))
	}
	var buf bytes.Buffer
	w := related.NewWriter(&buf)
	dicom := mediatype.New(mediatype.DICOM, "transfer-syntax", "1.2.840.10008.1.2.1")
	var headers []related.Header
	var sizes []int64
	for _, p := range parts {
		headers, sizes = append(headers, related.Header{Type: dicom, Location: "/x"}), append(sizes, int64(len(p)))
	}
	size := w.Size(headers, sizes)
	for i, p := range parts {
		pw, err := w.Part(headers[i])
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(pw, p)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if int64(buf.Len()) != size {
		t.Errorf("body has %d bytes, Size said %d", buf.Len(), size)
	}
	ct, err := mediatype.Parse(w.ContentType(dicom))
	if err != nil || ct.Param("type") != mediatype.DICOM || len(ct.Param("boundary")) < 32 {
		t.Fatalf("Content-Type %s, %v", w.ContentType(dicom), err)
	}
	if !bytes.Contains(buf.Bytes()[:200], []byte("\r\nContent-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.1\r\n")) {
		t.Errorf("first part header is spelled %q", buf.Bytes()[:200])
	}
	got, types, err := readAll(&buf, ct.Param("boundary"), related.Limits{})
	if err != nil || len(got) != len(parts) {
		t.Fatalf("read %d parts, %v, want %d", len(got), err, len(parts))
	}
	for i := range parts {
		if got[i] != parts[i] || types[i] != dicom.String() {
			t.Errorf("part %d differs: %d bytes of %s, want %d bytes", i, len(got[i]), types[i], len(parts[i]))
		}
	}
}

func TestWriterRefusesHeaderInjection(t *testing.T) {
	w := related.NewWriter(io.Discard)
	if _, err := w.Part(related.Header{Type: mediatype.New("a/b"), Location: "/x\r\nEvil: 1"}); err == nil {
		t.Error("a location with a line break was taken")
	}
}

// FuzzReader checks that no input makes the reader panic, that how the bytes arrive does not matter.
func FuzzReader(f *testing.F) {
	f.Add([]byte("\r\n--b\r\nA: b\r\n\r\none\r\n--b--\x00"), "b")
	f.Add([]byte("--b\n\n\n--b\n--b-"), "b")
	f.Fuzz(func(t *testing.T, body []byte, boundary string) {
		got, _, err := readAll(bytes.NewReader(body), boundary, related.Limits{Parts: 50})
		slow, _, slowErr := readAll(iotest.OneByteReader(bytes.NewReader(body)), boundary, related.Limits{Parts: 50})
		if fmt.Sprintf("%q %v", got, err) != fmt.Sprintf("%q %v", slow, slowErr) {
			t.Errorf("%q: whole %q, %v, byte by byte %q, %v", body, got, err, slow, slowErr)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	part := bytes.Repeat([]byte("\x00\x01\r\n--\x02\x03pixels"), 40_000)
	var buf bytes.Buffer
	w := related.NewWriter(&buf)
	for range 4 {
		pw, _ := w.Part(related.Header{Type: mediatype.New(mediatype.DICOM)})
		pw.Write(part)
	}
	w.Close()
	ct, _ := mediatype.Parse(w.ContentType(mediatype.New(mediatype.DICOM)))
	b.SetBytes(int64(buf.Len()))
	b.ReportAllocs()
	for b.Loop() {
		r, _ := related.NewReader(bytes.NewReader(buf.Bytes()), ct.Param("boundary"), related.Limits{})
		for {
			p, err := r.Next()
			if err != nil {
				break
			}
			io.Copy(io.Discard, p)
		}
	}
}
