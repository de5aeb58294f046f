// Package pixel finds the frames of an object (PS3.3 C.7.6.6, PS3.5 section 8 and annex A.4) and decodes them to
// samples (PS3.3 C.7.6.3). A frame is found without reading any other; nothing is decoded by guesswork. JPEG 2000 and HTJ2K
// are read with the build tag openjpeg alone, by OpenJPEG 2.5 (Debian: libopenjp2-7-dev).
package pixel

import (
	"bytes"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// FrameSet knows where each frame of one object lies. It reads from the file that it was made of, which must stay
// open; concurrent use is fine where the file's Body allows it.
type FrameSet struct {
	file    *dicom.File
	element *dicom.Element
	count   int
	bits    int64          // of a native frame
	spans   [][]dicom.Span // of each encapsulated frame; nil for native ones
}

// Frames finds the frames in Pixel Data, Float Pixel Data or Double Float Pixel Data. The error is of kind NotFound
// for an object without pixels, Conflict for one whose pixel data contradict its header, UnsupportedMedia for one
// whose frames are not separable (video, or fragments that no table assigns to frames).
func Frames(f *dicom.File) (*FrameSet, error) {
	s := &FrameSet{file: f, count: 1}
	for _, t := range []tag.Tag{tag.PixelData, tag.FloatPixelData, tag.DoubleFloatPixelData} {
		if e := f.Dataset.Get(t); e != nil && (len(e.Value) > 0 || e.Span.Length > 0 || e.Fragments != nil) {
			s.element = e
			break
		}
	}
	if s.element == nil {
		return nil, dicomweb.Errorf(dicomweb.NotFound, "the object has no pixel data")
	}
	if e := f.Dataset.Get(tag.NumberOfFrames); e != nil && len(e.Value) > 0 {
		n, ok := f.Dataset.Int(tag.NumberOfFrames)
		if !ok || n < 1 {
			return nil, dicomweb.Errorf(dicomweb.Conflict, "Number of Frames is no positive number")
		}
		s.count = n
	}
	if s.element.Fragments != nil {
		return s, s.encapsulated()
	}
	return s, s.native()
}

// On returns the same frames, read from another opening of the same file: where the frames lie is found once and used
// often. Deflated files have no such place: for them body holds the inflated data set.
func (s *FrameSet) On(body io.ReaderAt) *FrameSet {
	f := *s.file
	f.Body = body
	c := *s
	c.file = &f
	return &c
}

// Count returns the number of frames.
func (s *FrameSet) Count() int { return s.count }

// Encapsulated reports whether the frames are in an encapsulated form, as the transfer syntax names it.
func (s *FrameSet) Encapsulated() bool { return s.spans != nil }

// Element returns the attribute that holds the frames.
func (s *FrameSet) Element() *dicom.Element { return s.element }

// native checks that the frames fit the value. Frames follow each other without padding, bit by bit where Bits
// Allocated is 1 (PS3.5 section 8.1.1 and annex D): only the value's end is padded.
func (s *FrameSet) native() error {
	d := s.file.Dataset
	allocated := d.IntOr(tag.BitsAllocated, 0)
	switch s.element.Tag {
	case tag.FloatPixelData:
		allocated = 32
	case tag.DoubleFloatPixelData:
		allocated = 64
	}
	samples := d.IntOr(tag.SamplesPerPixel, 1)
	if d.String(tag.PhotometricInterpretation) == "YBR_FULL_422" && samples == 3 {
		samples = 2 // two luminances share a pair of chrominances, PS3.3 C.7.6.3.1.2
	}
	total, overflow := int64(1), false
	for _, n := range []int{d.IntOr(tag.Rows, 0), d.IntOr(tag.Columns, 0), samples, allocated} {
		if n < 1 || n > 1<<31 {
			return dicomweb.Errorf(dicomweb.Conflict, "Rows, Columns, Samples per Pixel or Bits Allocated is missing or out of range")
		}
		hi, lo := bits.Mul64(uint64(total), uint64(n))
		overflow = overflow || hi != 0 || lo > 1<<62
		total = int64(lo &^ (1 << 63))
	}
	length := s.length()
	if hi, lo := bits.Mul64(uint64(total), uint64(s.count)); overflow || hi != 0 || (lo+7)/8 > uint64(length) {
		return dicomweb.Errorf(dicomweb.Conflict, "the pixel data have %d bytes, too few for %d frames", length, s.count)
	}
	s.bits = total
	return nil
}

func (s *FrameSet) length() int64 {
	if s.element.Deferred() {
		return s.element.Span.Length
	}
	return int64(len(s.element.Value))
}

// Size returns the length in bytes of frame i, which counts from 0.
func (s *FrameSet) Size(i int) (int64, error) {
	if err := s.check(i); err != nil {
		return 0, err
	}
	if s.spans == nil {
		return (s.bits + 7) / 8, nil
	}
	total := int64(0)
	for _, span := range s.spans[i] {
		total += span.Length
	}
	return total, nil
}

// check returns an error of kind NotFound, with numbers as PS3.18 counts frames.
func (s *FrameSet) check(i int) error {
	if i < 0 || i >= s.count {
		return dicomweb.Errorf(dicomweb.NotFound, "frame %d does not exist: the object has %d", i+1, s.count)
	}
	return nil
}

// Open returns frame i, which counts from 0, as it is stored: native samples in the byte order of the transfer
// syntax, or the compressed bytes of all its fragments. A frame of 1-bit samples that does not begin at a byte is
// shifted so that it does; its last byte is padded with zero bits. The frame can be read from any place on.
func (s *FrameSet) Open(i int) (*io.SectionReader, error) {
	if err := s.check(i); err != nil {
		return nil, err
	}
	if s.spans != nil {
		if spans := s.spans[i]; len(spans) == 1 {
			return s.file.Open(spans[0]), nil
		}
		return s.fragments(s.spans[i]), nil
	}
	if s.bits%8 == 0 {
		return s.open(int64(i)*s.bits/8, s.bits/8), nil
	}
	first := int64(i) * s.bits
	end := (first + s.bits + 7) / 8
	packed, err := io.ReadAll(s.open(first/8, end-first/8))
	if err != nil {
		return nil, fmt.Errorf("pixel: read frame %d: %w", i+1, err)
	}
	return section(shift(packed, uint(first%8), s.bits)), nil
}

// shift returns n bits from bit skip of packed on; bit 0 is the least significant of the first byte.
func shift(packed []byte, skip uint, n int64) []byte {
	out := packed[:(n+7)/8]
	for k := range out {
		b := packed[k] >> skip
		if k+1 < len(packed) {
			b |= packed[k+1] << (8 - skip)
		}
		out[k] = b
	}
	if n%8 != 0 {
		out[len(out)-1] &= 1<<uint(n%8) - 1
	}
	return out
}

// open returns a stretch of the native value.
func (s *FrameSet) open(offset, length int64) *io.SectionReader {
	if !s.element.Deferred() {
		return section(s.element.Value[offset : offset+length])
	}
	return s.file.Open(dicom.Span{Offset: s.element.Span.Offset + offset, Length: length})
}

func section(b []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

// Frame returns what Open reads, in memory: at most 1 GiB.
func (s *FrameSet) Frame(i int) ([]byte, error) { return s.read(i, nil) }

// read is Frame into the memory of dst where that suffices.
func (s *FrameSet) read(i int, dst []byte) ([]byte, error) {
	n, err := s.Size(i)
	if err != nil {
		return nil, err
	}
	if n > maxFrame {
		return nil, dicomweb.Errorf(dicomweb.TooLarge, "frame %d has %d bytes", i+1, n)
	}
	r, err := s.Open(i)
	if err != nil {
		return nil, err
	}
	b := slices.Grow(dst[:0], int(n))[:n]
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("pixel: read frame %d: %w", i+1, err)
	}
	return b, nil
}

const maxFrame = 1 << 30
