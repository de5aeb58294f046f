package prepared_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"mome/dicomweb/prepared"
)

// texts are metadata as write functions: with no, one and several gaps, short, incompressible, longer than a stored block.
func texts() []func(base string) string {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte('!' + r.IntN(90))
	}
	return []func(string) string{
		func(string) string { return "{}" },
		func(b string) string { return `{"7FE00010":{"vr":"OW","BulkDataURI":"` + b + `/x"}}` },
		func(b string) string { return strings.Repeat(`{"00100010":"Doe^Jane"},`, 400) + b },
		func(b string) string { return b + b + string(noise) + b + strings.Repeat("ab", 70_000) },
	}
}

func answer(t testing.TB, encoded [][]byte, base string, zipped bool) string {
	t.Helper()
	var out bytes.Buffer
	a := prepared.NewAnswer(&out, base, zipped)
	for _, e := range encoded {
		if err := a.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if !zipped {
		return out.String()
	}
	z, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	text, err := io.ReadAll(z) // checks CRC-32 and length
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func encode(t testing.TB, text func(string) string) []byte {
	t.Helper()
	e, err := prepared.Append(nil, func(base string) ([]byte, error) { return []byte(text(base)), nil })
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAnswer(t *testing.T) {
	for _, base := range []string{"", "http://127.0.0.1:8080/dicom-web", "https://" + strings.Repeat("a", 70_000)} {
		var encoded [][]byte
		var want []string
		for i, text := range texts() {
			encoded, want = append(encoded, encode(t, text)), append(want, text(base))
			for _, zipped := range []bool{false, true} {
				if got := answer(t, encoded, base, zipped); got != "["+strings.Join(want, ",")+"]" {
					t.Errorf("%d texts, base of %d bytes, gzip %v: got %d bytes %.60q, want %.60q", i+1, len(base), zipped, len(got), got, want)
				}
			}
		}
	}
	if got := answer(t, nil, "x", true); got != "[]" {
		t.Errorf("nothing: got %q", got)
	}
}

// TestTooLong wants nothing prepared for metadata that are too long, and an answer that takes them as text.
func TestTooLong(t *testing.T) {
	long := `{"x":"` + strings.Repeat("a", prepared.Largest) + `"}`
	if e := encode(t, func(string) string { return long }); e != nil {
		t.Errorf("got %d bytes, want none", len(e))
	}
	var out bytes.Buffer
	a := prepared.NewAnswer(&out, "", false)
	a.Add(encode(t, func(string) string { return "{}" }))
	a.AddText([]byte(long))
	if err := a.Close(); err != nil || out.String() != "[{},"+long+"]" {
		t.Errorf("got %d bytes, %v", out.Len(), err)
	}
}

// FuzzAdd wants an error or text of whatever an index returned, and no more memory than the texts' lengths allow.
func FuzzAdd(f *testing.F) {
	for _, text := range texts() {
		f.Add(encode(f, text))
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		prepared.NewAnswer(io.Discard, "http://a", false).Add(encoded)
		prepared.NewAnswer(io.Discard, "http://a", true).Add(encoded)
	})
}

func header(i int) func(base string) string {
	return func(base string) string {
		var b strings.Builder
		for k := range 120 {
			fmt.Fprintf(&b, `"%08X":{"vr":"DS","Value":[%d.%d]},`, 0x00180000+k, i*k, k)
		}
		return "{" + b.String() + `"7FE00010":{"vr":"OW","BulkDataURI":"` + base + `/studies/1/bulkdata/7FE00010"}}`
	}
}

func BenchmarkAppend(b *testing.B) {
	for b.Loop() {
		encode(b, header(1))
	}
}

func BenchmarkAnswer(b *testing.B) {
	var encoded [][]byte
	for i := range 150 {
		encoded = append(encoded, encode(b, header(i)))
	}
	for _, zipped := range []bool{true, false} {
		b.Run(fmt.Sprintf("150 instances, gzip %v", zipped), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a := prepared.NewAnswer(io.Discard, "http://127.0.0.1:8080/dicom-web", zipped)
				for _, e := range encoded {
					a.Add(e)
				}
				a.Close()
			}
		})
	}
}
