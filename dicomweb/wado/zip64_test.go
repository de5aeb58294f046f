package wado

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/mediatype"
)

// sparse keeps what is written but for zeros.
type sparse struct {
	n      int64
	chunks []chunk
	blank  [64 << 10]byte
}

type chunk struct {
	at    int64
	bytes []byte
}

func (s *sparse) Write(b []byte) (int, error) {
	if len(b) > len(s.blank) || !bytes.Equal(b, s.blank[:len(b)]) {
		s.chunks = append(s.chunks, chunk{s.n, bytes.Clone(b)})
	}
	s.n += int64(len(b))
	return len(b), nil
}

func (s *sparse) ReadAt(b []byte, off int64) (int, error) {
	clear(b)
	for _, c := range s.chunks {
		if from := max(off, c.at); from < min(off+int64(len(b)), c.at+int64(len(c.bytes))) {
			copy(b[from-off:], c.bytes[from-c.at:])
		}
	}
	if n := s.n - off; n < int64(len(b)) {
		return int(max(0, n)), io.EOF
	}
	return len(b), nil
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// TestZIP64 writes an entry of more than 4 GiB, and one behind it.
func TestZIP64(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 4 GiB")
	}
	const large = 1<<32 + 5
	var out sparse
	z := zip.NewWriter(&out)
	for _, e := range []*entry{
		{name: "large", body: &payload{Reader: io.LimitReader(zeros{}, large), size: large}},
		{name: "behind", body: &payload{Reader: bytes.NewReader([]byte("abc")), size: 3}, crc: 0x352441C2},
	} {
		if err := e.write(z); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := zip.NewReader(&out, out.n)
	if err != nil {
		t.Fatal(err)
	}
	if got.File[0].UncompressedSize64 != large {
		t.Errorf("the large entry has %d bytes, want %d", got.File[0].UncompressedSize64, int64(large))
	}
	r, err := got.File[1].Open()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != "abc" {
		t.Errorf("behind it %q, %v", b, err)
	}
}

// TestZipSizeOfLargeStudies tells no length where ZIP64 makes it uncertain.
func TestZipSizeOfLargeStudies(t *testing.T) {
	one := func(size int64) chosen {
		i := archive.Instance{Ref: dicomweb.Ref{Study: "1", Series: "1.2", Instance: "1.2.3"}, TransferSyntax: "1", Size: size}
		return chosen{i, mediatype.Offer{TransferSyntax: "1"}}
	}
	if _, known := zipSize([]chosen{one(100)}); !known {
		t.Error("the length of a small file is known")
	}
	if n, known := zipSize([]chosen{one(1 << 31), one(1 << 31)}); known {
		t.Errorf("%d bytes of entries with 4 GiB", n)
	}
}

// TestExtendedOffsetTable writes offsets that a Basic Offset Table cannot hold, with a limit that is passed sooner.
func TestExtendedOffsetTable(t *testing.T) {
	for _, most := range []int64{1 << 20, 4} {
		f, want := multiframe(t)
		src := sourceOf(t, f)
		it, err := newItems(t.Context(), src, len(want), 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(it.kept) == 0 || len(it.kept) == len(want) {
			t.Fatalf("%d of %d frames are kept: both ways are to be tested", len(it.kept), len(want))
		}
		head, _, _, err := split(f)
		if err != nil {
			t.Fatal(err)
		}
		body, size, err := it.file(head, src.target, most)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		if err != nil || int64(len(b)) != size {
			t.Fatalf("%d bytes, %v, %d announced", len(b), err, size)
		}
		checkFrames(t, b, want, most < 100)
	}
}
