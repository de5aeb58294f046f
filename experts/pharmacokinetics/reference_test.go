package pharmacokinetics_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// reference returns a file of an archive in shared/data beside the repository; without the archive the test is skipped.
func reference(t *testing.T, archive, name string) []byte {
	t.Helper()
	z, err := zip.OpenReader(filepath.Join("..", "..", "..", "shared", "data", archive))
	if err != nil {
		t.Skipf("no reference data beside the repository: %v", err)
	}
	defer z.Close()
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

// osipi returns the rows of a table in OSIPI's reference data (OSIPI/DCE-DSC-MRI_CodeCollection, Apache-2.0) by column.
func osipi(t *testing.T, name string) []map[string]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(reference(t, "osipi/osipi_dce_reference_csv.zip", "test/"+name), []byte("\uFEFF")))).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for n, column := range rows[0] {
			m[strings.TrimSpace(column)] = row[n]
		}
		out = append(out, m)
	}
	return out
}

// numbers parses what is parted by spaces.
func numbers(t *testing.T, fields ...string) []float64 {
	t.Helper()
	var out []float64
	for f := range strings.FieldsSeq(strings.Join(fields, " ")) {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// matrices returns the double matrices of a MAT-file of version 5, little endian and not compressed, column by column.
func matrices(t *testing.T, file []byte) map[string][]float64 {
	t.Helper()
	const header, double = 128, 9
	out := map[string][]float64{}
	for file = file[header:]; len(file) >= 8; {
		body := file[8 : 8+binary.LittleEndian.Uint32(file[4:])]
		file = file[8+len(body):]
		element := func() (kind uint32, data []byte) {
			kind, size := binary.LittleEndian.Uint32(body), binary.LittleEndian.Uint32(body[4:])
			if small := kind >> 16; small > 0 { // packed into the tag itself
				data = body[4 : 4+small]
				body = body[8:]
				return kind & 0xffff, data
			}
			data = body[8 : 8+size]
			body = body[min(8+(size+7)/8*8, uint32(len(body))):]
			return kind, data
		}
		element() // flags
		element() // dimensions
		_, name := element()
		kind, data := element()
		if kind != double {
			continue
		}
		for ; len(data) >= 8; data = data[8:] {
			out[string(name)] = append(out[string(name)], math.Float64frombits(binary.LittleEndian.Uint64(data)))
		}
	}
	return out
}

// nrrd returns the header lines and the values of a little-endian NRRD file of doubles in gzip encoding.
func nrrd(t *testing.T, file []byte) (header string, values []float64) {
	t.Helper()
	head, packed, ok := bytes.Cut(file, []byte("\n\n"))
	if !ok || !bytes.Contains(head, []byte("type: double")) {
		t.Fatal("not the NRRD file that was expected")
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	for ; len(raw) >= 8; raw = raw[8:] {
		values = append(values, math.Float64frombits(binary.LittleEndian.Uint64(raw)))
	}
	return string(head), values
}
