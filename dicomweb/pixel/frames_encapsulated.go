package pixel

import (
	"encoding/binary"
	"io"
	"io/fs"
	"sort"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// encapsulated assigns the fragments to frames: all to the only frame; else by the Extended Offset Table (PS3.3
// C.7.6.3.1.8); else by the Basic Offset Table (PS3.5 annex A.4); else one to each; else, since many writers leave
// the tables empty, by the marker that begins each JPEG or JPEG 2000 frame.
func (s *FrameSet) encapsulated() error {
	fragments := s.element.Fragments[1:]
	if s.count == 1 {
		s.spans = [][]dicom.Span{fragments}
		return nil
	}
	if len(fragments) < s.count {
		return dicomweb.Errorf(dicomweb.UnsupportedMedia,
			"%d frames in %d fragments: the frames cannot be taken apart", s.count, len(fragments))
	}
	for _, find := range []func([]dicom.Span) ([]int, error){s.extendedTable, s.basicTable, s.oneEach, s.markers} {
		starts, err := find(fragments)
		if err != nil {
			return err
		}
		if starts != nil {
			s.assign(fragments, starts)
			return s.trim()
		}
	}
	return dicomweb.Errorf(dicomweb.UnsupportedMedia,
		"%d frames in %d fragments without an offset table: the frames cannot be taken apart", s.count, len(fragments))
}

// assign gives frame i the fragments from starts[i] up to the next frame's.
func (s *FrameSet) assign(fragments []dicom.Span, starts []int) {
	s.spans = make([][]dicom.Span, s.count)
	for i, from := range starts {
		to := len(fragments)
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		s.spans[i] = fragments[from:to]
	}
}

// byOffset returns the fragment that begins at each offset; nil when the offsets are not those of s.count fragments
// in ascending order, the first one first. Offsets count from the first byte of the first fragment's item.
func (s *FrameSet) byOffset(fragments []dicom.Span, offsets []uint64) []int {
	if len(offsets) != s.count || len(fragments) == 0 {
		return nil
	}
	base := fragments[0].Offset
	starts := make([]int, len(offsets))
	for i, offset := range offsets {
		want := base + int64(offset)
		k := sort.Search(len(fragments), func(k int) bool { return fragments[k].Offset >= want })
		if offset > 1<<62 || k == len(fragments) || fragments[k].Offset != want || i == 0 && k != 0 || i > 0 && k <= starts[i-1] {
			return nil
		}
		starts[i] = k
	}
	return starts
}

func (s *FrameSet) extendedTable(fragments []dicom.Span) ([]int, error) {
	offsets, err := s.longs(tag.ExtendedOffsetTable)
	if err != nil {
		return nil, err
	}
	return s.byOffset(fragments, offsets), nil
}

// trim shortens each frame to what the Extended Offset Table Lengths say, where they suit: the rest is padding.
func (s *FrameSet) trim() error {
	lengths, err := s.longs(tag.ExtendedOffsetTableLengths)
	if err != nil || len(lengths) != s.count {
		return err
	}
	for i, spans := range s.spans {
		if n := int64(lengths[i]); len(spans) == 1 && n > 0 && (n == spans[0].Length || n == spans[0].Length-1) {
			s.spans[i] = []dicom.Span{{Offset: spans[0].Offset, Length: n}}
		}
	}
	return nil
}

// longs reads an OV attribute; nil when it is absent or has not one value for each frame.
func (s *FrameSet) longs(t tag.Tag) ([]uint64, error) {
	e := s.file.Dataset.Get(t)
	if e == nil || e.VR == dicom.SQ || e.Fragments != nil {
		return nil, nil
	}
	if n := max(int64(len(e.Value)), e.Span.Length); n != 8*int64(s.count) {
		return nil, nil
	}
	raw, err := s.file.Value(e)
	if err != nil {
		return nil, err
	}
	out := make([]uint64, 0, s.count)
	for ; len(raw) >= 8; raw = raw[8:] {
		out = append(out, binary.LittleEndian.Uint64(raw))
	}
	return out, nil
}

func (s *FrameSet) basicTable(fragments []dicom.Span) ([]int, error) {
	table := s.element.Fragments[0]
	if table.Length != 4*int64(s.count) {
		return nil, nil
	}
	raw := make([]byte, table.Length)
	if _, err := io.ReadFull(s.file.Open(table), raw); err != nil {
		return nil, err
	}
	offsets := make([]uint64, s.count)
	for i := range offsets {
		offsets[i] = uint64(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return s.byOffset(fragments, offsets), nil
}

func (s *FrameSet) oneEach(fragments []dicom.Span) ([]int, error) {
	if len(fragments) != s.count {
		return nil, nil
	}
	starts := make([]int, s.count)
	for i := range starts {
		starts[i] = i
	}
	return starts, nil
}

// markers finds the fragments that begin with SOI (JPEG, JPEG-LS) or SOC and SIZ (JPEG 2000).
func (s *FrameSet) markers(fragments []dicom.Span) ([]int, error) {
	var starts []int
	var head [4]byte
	for k, f := range fragments {
		n, err := io.ReadFull(s.file.Open(f), head[:min(f.Length, int64(len(head)))])
		if err != nil && n == 0 && f.Length > 0 {
			return nil, err
		}
		jpeg := n >= 3 && head[0] == 0xFF && head[1] == 0xD8 && head[2] == 0xFF
		jpeg2000 := n == 4 && head[0] == 0xFF && head[1] == 0x4F && head[2] == 0xFF && head[3] == 0x51
		if jpeg || jpeg2000 {
			starts = append(starts, k)
		}
	}
	if len(starts) != s.count || starts[0] != 0 {
		return nil, nil
	}
	return starts, nil
}

// fragments returns a frame of several fragments.
func (s *FrameSet) fragments(spans []dicom.Span) *io.SectionReader {
	r := &joined{body: s.file.Body, spans: spans, ends: make([]int64, len(spans))}
	total := int64(0)
	for k, span := range spans {
		total += span.Length
		r.ends[k] = total
	}
	return io.NewSectionReader(r, 0, total)
}

// joined reads stretches of a file as if they followed each other.
type joined struct {
	body  io.ReaderAt
	spans []dicom.Span
	ends  []int64 // of each span, in bytes of the whole
}

// ReadAt implements io.ReaderAt.
func (j *joined) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fs.ErrInvalid
	}
	k := sort.Search(len(j.ends), func(k int) bool { return j.ends[k] > off })
	for ; n < len(p) && k < len(j.spans); k++ {
		rest := j.ends[k] - off
		part := p[n:min(int64(len(p)), int64(n)+rest)]
		m, err := j.body.ReadAt(part, j.spans[k].Offset+j.spans[k].Length-rest)
		n, off = n+m, off+int64(m)
		if m < len(part) {
			return n, err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Stream returns all fragments of an encapsulated value without the offset table, as one: what a video is.
func Stream(f *dicom.File, e *dicom.Element) *io.SectionReader {
	return (&FrameSet{file: f}).fragments(e.Fragments[min(1, len(e.Fragments)):])
}
