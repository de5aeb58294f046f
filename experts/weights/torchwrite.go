package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"
)

// WriteTorch writes the tensors in order as a checkpoint that torch.load reads, also with weights_only: the dictionary
// {epoch: 0, state_dict: OrderedDict, metadata: {text: text}}, with the tensors' hash in the metadata. Storages begin
// on multiples of 64 bytes, as those of torch.save do, so that they can be mapped. Equal sets give equal bytes.
func (s Set) WriteTorch(w io.Writer) error {
	out := &counter{to: w}
	z := zip.NewWriter(out)
	const root = "archive/"
	program := s.program()
	for _, m := range []struct {
		name string
		data []byte
	}{{"data.pkl", program}, {"byteorder", []byte("little")}, {"version", []byte("3\n")}} {
		write := func(w io.Writer) error { _, err := w.Write(m.data); return err }
		if err := member(z, out, root+m.name, crc32.ChecksumIEEE(m.data), len(m.data), write); err != nil {
			return err
		}
	}
	var chunk []byte
	for i, t := range s.tensors {
		sum := crc32.NewIEEE()
		chunk, _ = writeFloats(sum, t.Data, chunk)
		err := member(z, out, fmt.Sprintf("%sdata/%d", root, i), sum.Sum32(), 4*len(t.Data), func(w io.Writer) (err error) {
			chunk, err = writeFloats(w, t.Data, chunk)
			return err
		})
		if err != nil {
			return err
		}
	}
	return z.Close()
}

// counter counts the bytes that pass through.
type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}

// member adds a member of known checksum and size, stored as it is and aligned.
func member(z *zip.Writer, out *counter, name string, sum uint32, size int, write func(io.Writer) error) error {
	const (
		localHeader = 30 // bytes before name and extra field (APPNOTE.TXT 4.3.7)
		extraHeader = 4  // id and length of an extra field (4.5.1)
		alignment   = 64
	)
	if err := z.Flush(); err != nil { // so that out has counted everything before the member
		return err
	}
	padding := (alignment - (int(out.n)+localHeader+len(name)+extraHeader)%alignment) % alignment
	extra := append([]byte("FB"), byte(padding), 0) // the id that torch.save uses for padding
	f, err := z.CreateRaw(&zip.FileHeader{
		Name: name, Method: zip.Store, CRC32: sum, Extra: append(extra, make([]byte, padding)...),
		CompressedSize64: uint64(size), UncompressedSize64: uint64(size),
	})
	if err != nil {
		return err
	}
	return write(f)
}

// program is the pickle, protocol 2, without a memo.
func (s Set) program() []byte {
	var p assembler
	p.WriteString("\x80\x02}(") // protocol, dictionary, mark
	p.text("epoch")
	p.integer(0)
	p.text("state_dict")
	p.WriteString("ccollections\nOrderedDict\n)R(")
	for i, t := range s.tensors {
		p.text(t.Name)
		p.WriteString("ctorch._utils\n_rebuild_tensor_v2\n((")
		p.text("storage")
		p.WriteString("ctorch\nFloatStorage\n")
		p.text(fmt.Sprint(i))
		p.text("cpu")
		p.integer(len(t.Data))
		p.WriteString("tQ") // persistent id
		p.integer(0)        // offset
		p.tuple(t.Shape)
		p.tuple(strides(t.Shape))
		p.WriteString("\x89ccollections\nOrderedDict\n)RtR") // requires_grad, hooks
	}
	p.WriteByte('u') // fills the OrderedDict
	p.text("metadata")
	p.WriteString("}(")
	metadata := maps.Clone(s.Metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	metadata[SHA256] = s.SHA256()
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		p.text(key)
		p.text(metadata[key])
	}
	p.WriteString("uu.")
	return p.Bytes()
}

// strides are those of a row-major array.
func strides(shape []int) []int {
	out := make([]int, len(shape))
	n := 1
	for a := len(shape) - 1; a >= 0; a-- {
		out[a] = n
		n *= max(shape[a], 1)
	}
	return out
}

// assembler writes opcodes of pickle (Python's Lib/pickletools.py).
type assembler struct{ bytes.Buffer }

// text is a string; bytes that are not UTF-8, which Python refuses, are replaced.
func (p *assembler) text(s string) {
	s = strings.ToValidUTF8(s, "\uFFFD")
	p.WriteByte('X') // BINUNICODE
	p.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(s))))
	p.WriteString(s)
}

func (p *assembler) integer(v int) {
	if int64(v) < 1<<31 {
		p.WriteByte('J') // BININT
		p.Write(binary.LittleEndian.AppendUint32(nil, uint32(v)))
		return
	}
	p.WriteString("\x8a\x08") // LONG1 of 8 bytes
	p.Write(binary.LittleEndian.AppendUint64(nil, uint64(v)))
}

func (p *assembler) tuple(values []int) {
	p.WriteByte('(')
	for _, v := range values {
		p.integer(v)
	}
	p.WriteByte('t')
}
