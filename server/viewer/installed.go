package viewer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// recordFile lies beside dist/ and LICENSE in an installation's folder.
const recordFile = "installed.json"

// unpacking begins the names of folders that are being filled, or were.
const unpacking = ".unpack-"

// Installed is what an installation says of itself.
type Installed struct {
	Package   string `json:"package"`   // of npm
	Version   string `json:"version"`   // its folder's name too
	Licence   string `json:"licence"`   // as the package states it
	Integrity string `json:"integrity"` // of the tarball, as npm writes it: "sha512-" and base64
	Files     int    `json:"files"`     // below dist/
	Bytes     int64  `json:"bytes"`     // that they take on disk
}

// Status returns what is installed in dir: one entry, none, or two for the moment in which one replaces another.
func Status(dir string) ([]Installed, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("viewer: %w", err)
	}
	var list []Installed
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		in, err := readRecord(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		list = append(list, in)
	}
	return list, nil
}

// readRecord reads an installation's record.
func readRecord(folder string) (in Installed, err error) {
	b, err := os.ReadFile(filepath.Join(folder, recordFile))
	if err == nil {
		err = json.Unmarshal(b, &in)
	}
	if err == nil && in.Version != filepath.Base(folder) {
		err = fmt.Errorf("its record names version %q", in.Version)
	}
	if err != nil {
		return in, fmt.Errorf("viewer: %s is no installation: %w (server viewer remove clears it)", folder, err)
	}
	return in, nil
}

// Remove removes what is installed in dir and what an installation that was cut off left.
func Remove(dir string) error {
	if err := clear(dir, ""); err != nil {
		return err
	}
	os.Remove(dir) // stays if something else lies in it
	return nil
}

// clear removes installations but that of version keep, and unfinished ones. Nothing else in dir is touched.
func clear(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		folder := filepath.Join(dir, e.Name())
		_, none := os.Stat(filepath.Join(folder, recordFile))
		if e.Name() != keep && (none == nil || strings.HasPrefix(e.Name(), unpacking)) {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}
	if err != nil {
		return fmt.Errorf("viewer: clear %s: %w", dir, err)
	}
	return nil
}
