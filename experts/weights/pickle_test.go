package weights

import (
	"bytes"
	"runtime"
	"testing"
)

// A long tuple that is remembered and given to a function again and again must not be copied every time.
func TestPickleTakesMemoryInProportionToItsLength(t *testing.T) {
	const items, calls = 20_000, 20_000
	var p bytes.Buffer
	p.WriteString("\x80\x02(")
	p.WriteString("ctorch._utils\n_rebuild_tensor_v2\nq\x00")
	p.WriteString("(")
	p.Write(bytes.Repeat([]byte("K\x01"), items))
	p.WriteString("tq\x01")                                                                                                              // the tuple of ones
	p.WriteString("((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQK\x00h\x01h\x01tq\x020") // storage, offset, shape, stride
	p.WriteString("0")
	p.Write(bytes.Repeat([]byte("h\x00h\x02R"), calls))
	p.WriteString("t.")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := unpickle(p.Bytes())
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(200*p.Len()); got > most {
		t.Errorf("a pickle of %d bytes allocates %d, want at most %d", p.Len(), got, most)
	}
}
