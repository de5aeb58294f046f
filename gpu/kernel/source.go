package kernel

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
)

// Sources are the CUDA twins of this package: the .cu files are compiled, the .cuh files are what they include.
//
//go:embed *.cu *.cuh
var Sources embed.FS

// SourceHash is the SHA-256, in hexadecimal digits, over the names and contents of all Sources.
func SourceHash() string {
	h := sha256.New()
	names, err := fs.Glob(Sources, "*")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range names {
		data, err := Sources.ReadFile(name)
		if err != nil {
			panic(err) // it was just listed
		}
		fmt.Fprintf(h, "%s %d\n", name, len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil))
}
