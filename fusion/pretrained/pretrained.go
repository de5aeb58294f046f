// Package pretrained holds the weights that the node runs with where it is given no others. They were fitted to digital
// phantoms by "server train" and know nothing of patients: they show that the whole way works. Their provenance is in
// their metadata, see package weights.
package pretrained

import (
	"bytes"
	_ "embed"
	"fmt"

	"mome/experts/weights"
)

//go:embed phantom.safetensors
var phantom []byte

// Phantom returns the built-in weights.
func Phantom() (weights.Set, error) {
	set, err := weights.ReadSafetensors(bytes.NewReader(phantom), int64(len(phantom)))
	if err != nil {
		return weights.Set{}, fmt.Errorf("read the built-in weights: %w", err)
	}
	return set, nil
}
