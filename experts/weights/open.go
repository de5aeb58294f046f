package weights

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// Resave is a command that turns an old PyTorch checkpoint into one that can be read; it executes what is in the file.
const Resave = `python3 -c 'import torch; torch.save(torch.load("OLD", map_location="cpu"), "NEW")'`

// Open reads a file of either kind: a PyTorch checkpoint if it begins like a zip archive, safetensors otherwise.
// Where the metadata hold a hash of the tensors, the tensors must have it; ErrFormat is wrapped where they have not,
// and by every other error about what is in the file.
func Open(path string) (Set, error) {
	s, err := OpenUnchecked(path)
	if err != nil {
		return Set{}, err
	}
	if err := s.CheckHash(); err != nil {
		return Set{}, fmt.Errorf("read %s: %w", path, err)
	}
	return s, nil
}

// OpenUnchecked is Open without comparing the tensors' hash, which takes about a second for a gigabyte.
func OpenUnchecked(path string) (Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return Set{}, err
	}
	defer f.Close()
	s, err := readFile(f)
	if err != nil {
		return Set{}, fmt.Errorf("read %s: %w", path, err)
	}
	return s, nil
}

func readFile(f *os.File) (Set, error) {
	info, err := f.Stat()
	if err != nil {
		return Set{}, err
	}
	if !info.Mode().IsRegular() {
		return Set{}, malformed("not a file")
	}
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return Set{}, err
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return ReadTorch(f, info.Size())
	case bytes.HasPrefix(head, []byte(legacyMagic)), len(head) > 262 && string(head[257:262]) == "ustar":
		return Set{}, malformed("a PyTorch checkpoint in the form of before version 1.6, which is not read; resave it with %s", Resave)
	}
	return ReadSafetensors(f, info.Size())
}

// legacyMagic is how torch.save began before archives: a pickle of the number 0x1950a86a20f9469cfc6c.
const legacyMagic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
