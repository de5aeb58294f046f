package main

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/sbinet/npyio/npy"
)

// readNPY reads a NumPy file (NEP 1) of float32 in C order whose last axes are those of want, with or without an axis
// for the batch in front. It answers the numbers and the length of the batch.
func readNPY(path string, want []int) (data []float32, batch int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	data, batch, err = decodeNPY(f, info.Size(), want)
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", path, err)
	}
	return data, batch, nil
}

// decodeNPY is readNPY of a stream of the given size in bytes.
func decodeNPY(from io.Reader, size int64, want []int) (data []float32, batch int, err error) {
	defer func() {
		if cause := recover(); cause != nil { // the library slices headers without looking
			data, batch, err = nil, 0, fmt.Errorf("not a file of numpy.save: %v", cause)
		}
	}()
	in := bufio.NewReaderSize(io.LimitReader(from, size), 1<<16)
	// Version 2 gives the header's length in four bytes, which the library would allocate.
	if head, err := in.Peek(12); err == nil && head[6] == 2 && binary.LittleEndian.Uint32(head[8:]) > 1<<16 {
		return nil, 0, fmt.Errorf("not a file of numpy.save: its header is too long")
	}
	r, err := npy.NewReader(in)
	if err != nil {
		return nil, 0, fmt.Errorf("not a file of numpy.save: %w", err)
	}
	d := r.Header.Descr
	if d.Type != "<f4" && d.Type != ">f4" {
		return nil, 0, fmt.Errorf(`numbers of type %q, want float32: numpy.save(file, a.astype("float32"))`, d.Type)
	}
	if d.Fortran && len(d.Shape) > 1 {
		return nil, 0, fmt.Errorf("array in Fortran order: numpy.save(file, numpy.ascontiguousarray(a))")
	}
	shape := d.Shape
	if len(shape) == len(want) {
		shape = append([]int{1}, shape...)
	}
	if len(shape) != len(want)+1 || !slices.Equal(shape[1:], want) || shape[0] < 1 {
		return nil, 0, fmt.Errorf("shape %v, want %v or (batch, %s): the network's box is fixed, so pad or crop the volume", d.Shape, want, strings.Trim(fmt.Sprint(want), "[]"))
	}
	n := 1
	for _, s := range shape {
		if int64(n) > size/int64(s) {
			return nil, 0, fmt.Errorf("shape %v in a file of %d bytes", d.Shape, size)
		}
		n *= s
	}
	if int64(n)*4 > size {
		return nil, 0, fmt.Errorf("shape %v in a file of %d bytes: the file is cut off", d.Shape, size)
	}
	data = make([]float32, n)
	if err := r.Read(&data); err != nil {
		return nil, 0, fmt.Errorf("the file is cut off: %w", err)
	}
	return data, shape[0], nil
}

// writeNPY writes a row-major array of float32 as numpy.save does (NEP 1, version 1.0). The library that reads writes
// arrays of one and two axes only.
func writeNPY(w io.Writer, shape []int, data []float32) error {
	axes := make([]string, len(shape))
	for i, n := range shape {
		axes[i] = fmt.Sprint(n)
	}
	text := strings.Join(axes, ", ")
	if len(shape) == 1 {
		text += "," // a tuple of one
	}
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", text)
	const before = 10 // magic, version, length
	header += strings.Repeat(" ", 63-(before+len(header))%64) + "\n"
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString("\x93NUMPY\x01\x00")
	out.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(header))))
	out.WriteString(header)
	for _, v := range data {
		out.Write(binary.LittleEndian.AppendUint32(out.AvailableBuffer(), math.Float32bits(v)))
	}
	return out.Flush() // the first failed write, if any
}

// array is a named array of float32.
type array struct {
	name  string
	shape []int
	data  []float32
}

// writeNPZ writes arrays as numpy.savez does.
func writeNPZ(w io.Writer, arrays []array) error {
	z := zip.NewWriter(w)
	for _, a := range arrays {
		f, err := z.CreateHeader(&zip.FileHeader{Name: a.name + ".npy", Method: zip.Store})
		if err != nil {
			return err
		}
		if err := writeNPY(f, a.shape, a.data); err != nil {
			return err
		}
	}
	return z.Close()
}
