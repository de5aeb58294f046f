package pixel_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/pixel"
)

// native returns an object with the given samples as Pixel Data, in memory.
func native(rows, columns, allocated, frames int, value []byte) *dicom.File {
	d := dicom.New()
	d.Set(tag.Rows, rows)
	d.Set(tag.Columns, columns)
	d.Set(tag.BitsAllocated, allocated)
	d.Set(tag.SamplesPerPixel, 1)
	d.Set(tag.NumberOfFrames, frames)
	d.SetVR(tag.PixelData, dicom.OW, value)
	return &dicom.File{Dataset: d}
}

// encapsulated returns an object whose file holds nothing but the items of Pixel Data: the offset table, then the
// fragments.
func encapsulated(frames int, table []uint32, fragments ...string) *dicom.File {
	var body []byte
	e := &dicom.Element{Tag: tag.PixelData, VR: dicom.OB}
	item := func(value []byte) {
		body = append(body, 0xFE, 0xFF, 0x00, 0xE0)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(value)))
		e.Fragments = append(e.Fragments, dicom.Span{Offset: int64(len(body)), Length: int64(len(value))})
		body = append(body, value...)
	}
	var offsets []byte
	for _, o := range table {
		offsets = binary.LittleEndian.AppendUint32(offsets, o)
	}
	item(offsets)
	for _, f := range fragments {
		item([]byte(f))
	}
	d := dicom.New()
	d.Set(tag.NumberOfFrames, frames)
	e.Span.Length = int64(len(body))
	d.Put(e)
	return &dicom.File{Dataset: d, Body: bytes.NewReader(body), Size: int64(len(body))}
}

func extended(f *dicom.File, offsets, lengths []uint64) *dicom.File {
	for t, list := range map[tag.Tag][]uint64{tag.ExtendedOffsetTable: offsets, tag.ExtendedOffsetTableLengths: lengths} {
		var raw []byte
		for _, n := range list {
			raw = binary.LittleEndian.AppendUint64(raw, n)
		}
		f.Dataset.SetVR(t, dicom.OV, raw)
	}
	return f
}

const (
	jpegStart = "\xFF\xD8\xFF"
	j2kStart  = "\xFF\x4F\xFF\x51"
)

func TestFrames(t *testing.T) {
	for _, c := range []struct {
		name string
		file *dicom.File
		want []string
	}{
		{"native", native(1, 2, 8, 2, []byte("abcd")), []string{"ab", "cd"}},
		{"native of 16 bits", native(1, 1, 16, 2, []byte("abcd")), []string{"ab", "cd"}},
		{"odd frames are not padded one by one", native(1, 3, 8, 3, []byte("abcdefghi\x00")), []string{"abc", "def", "ghi"}},
		{"one bit, whole bytes", native(1, 8, 1, 2, []byte{0x0F, 0xF0}), []string{"\x0F", "\xF0"}},
		// 3 x 3 pixels: frame 1 all ones, frame 2 all zeros, frame 3 alternating from 1.
		{"one bit, frames share bytes", native(3, 3, 1, 3, []byte{0xFF, 0x01, 0x54, 0x05}), []string{"\xFF\x01", "\x00\x00", "\x55\x01"}},
		{"one fragment each", encapsulated(2, nil, "one", "two"), []string{"one", "two"}},
		{"a single frame takes all fragments", encapsulated(1, nil, "on", "e1"), []string{"one1"}},
		{"basic offset table", encapsulated(2, []uint32{0, 10 + 12}, "on", "more", "two"), []string{"onmore", "two"}},
		{"extended offset table", extended(encapsulated(2, nil, "one\x00", "two2"), []uint64{0, 12}, []uint64{3, 4}), []string{"one", "two2"}},
		{"extended offset table over a wrong basic one", extended(encapsulated(2, []uint32{0, 8 + 2 + 8 + 2}, "aa", "bb", "cc"), []uint64{0, 10}, nil), []string{"aa", "bbcc"}},
		{"empty table, JPEG", encapsulated(2, nil, jpegStart+"a", "b", jpegStart+"c"), []string{jpegStart + "ab", jpegStart + "c"}},
		{"empty table, JPEG 2000", encapsulated(2, nil, j2kStart, j2kStart+"c", "", "d"), []string{j2kStart, j2kStart + "cd"}},
		{"table that suits no fragment is not used", encapsulated(2, []uint32{0, 5}, "one", "two"), []string{"one", "two"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			frames, err := pixel.Frames(c.file)
			if err != nil {
				t.Fatal(err)
			}
			if frames.Count() != len(c.want) {
				t.Fatalf("Count() = %d, want %d", frames.Count(), len(c.want))
			}
			for i, want := range c.want {
				got, err := frames.Frame(i)
				if err != nil || string(got) != want {
					t.Errorf("frame %d = %x, %v, want %x", i+1, got, err, want)
				}
			}
			for _, i := range []int{-1, len(c.want), 1 << 40} {
				if _, err := frames.Frame(i); dicomweb.KindOf(err) != dicomweb.NotFound {
					t.Errorf("Frame(%d): %v, want an error of kind NotFound", i, err)
				}
			}
		})
	}
}

func TestFramesOfAnotherOpening(t *testing.T) {
	f := encapsulated(2, nil, "one", "two")
	frames, err := pixel.Frames(f)
	if err != nil {
		t.Fatal(err)
	}
	body := f.Body
	f.Body = nil // closed, as it were
	if got, err := frames.On(body).Frame(1); err != nil || string(got) != "two" {
		t.Errorf("frame 2 = %q, %v, want two", got, err)
	}
}

func TestFramesRefuse(t *testing.T) {
	huge := native(65535, 65535, 64, 1<<30, []byte("abcd"))
	frames := func(text string) *dicom.File {
		f := native(1, 2, 8, 1, []byte("ab"))
		f.Dataset.SetVR(tag.NumberOfFrames, dicom.IS, text)
		return f
	}
	for _, c := range []struct {
		name string
		file *dicom.File
		want dicomweb.Kind
	}{
		{"no pixels", &dicom.File{Dataset: dicom.New()}, dicomweb.NotFound},
		{"too few bytes", native(1, 2, 8, 3, []byte("abcd")), dicomweb.Conflict},
		{"a product beyond 64 bits", huge, dicomweb.Conflict},
		{"no Rows", native(0, 2, 8, 1, []byte("abcd")), dicomweb.Conflict},
		{"zero frames", frames("0"), dicomweb.Conflict},
		{"frames are no number", frames("x"), dicomweb.Conflict},
		{"fewer fragments than frames", encapsulated(3, nil, "one", "two"), dicomweb.UnsupportedMedia},
		{"fragments without table or marker", encapsulated(2, nil, "a", "b", "c"), dicomweb.UnsupportedMedia},
		{"more markers than frames", encapsulated(2, nil, jpegStart, jpegStart, jpegStart), dicomweb.UnsupportedMedia},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := pixel.Frames(c.file); err == nil || dicomweb.KindOf(err) != c.want {
				t.Errorf("got %v, want an error of kind %d", err, c.want)
			}
		})
	}
}

// FuzzFrames checks that no table and no header makes it panic or read beyond the file.
func FuzzFrames(f *testing.F) {
	f.Add(uint8(2), uint16(3), []byte{0, 0, 0, 0, 22, 0, 0, 0}, []byte("one"), true)
	f.Add(uint8(3), uint16(9), []byte{}, []byte{0xFF, 0x01, 0x54, 0x05}, false)
	f.Fuzz(func(t *testing.T, count uint8, size uint16, table, value []byte, compressed bool) {
		file := native(1, int(size), 1, int(count), value)
		if compressed {
			var offsets []uint32
			for ; len(table) >= 4; table = table[4:] {
				offsets = append(offsets, binary.LittleEndian.Uint32(table))
			}
			file = encapsulated(int(count), offsets, string(value), string(value), "x")
		}
		frames, err := pixel.Frames(file)
		if err != nil {
			return
		}
		for i := range frames.Count() {
			n, sizeErr := frames.Size(i)
			b, err := frames.Frame(i)
			if err != nil || sizeErr != nil || int64(len(b)) != n {
				t.Fatal(fmt.Errorf("frame %d: %d bytes, Size %d, %v, %v", i+1, len(b), n, err, sizeErr))
			}
		}
	})
}
