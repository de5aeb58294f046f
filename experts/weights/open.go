package weights

import (
	"bytes"
	"fmt"
	"os"
)

// Open reads a file of either kind: a PyTorch checkpoint if it begins like a zip archive, safetensors otherwise.
// Where the metadata hold a hash of the tensors, the tensors must have it.
func Open(path string) (Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return Set{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Set{}, err
	}
	var magic [4]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil {
		return Set{}, fmt.Errorf("read %s: %w", path, malformed("%v", err))
	}
	var s Set
	if bytes.Equal(magic[:], []byte("PK\x03\x04")) {
		s, err = ReadTorch(f, info.Size())
	} else {
		s, err = ReadSafetensors(f, info.Size())
	}
	if err != nil {
		return Set{}, fmt.Errorf("read %s: %w", path, err)
	}
	if want := s.Metadata[SHA256]; want != "" {
		if got := s.SHA256(); got != want {
			return Set{}, fmt.Errorf("read %s: %w", path, malformed("tensors hash to %s, the file says %s", got, want))
		}
	}
	return s, nil
}
