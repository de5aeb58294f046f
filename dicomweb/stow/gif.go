package stow

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// gifFrames counts the frames of a GIF image and their pixels without decoding any (GIF89a sections 18 to 26): package
// gif would decode all before it tells how many there are.
func gifFrames(r *io.SectionReader) (frames int, area int64, err error) {
	in := bufio.NewReader(io.NewSectionReader(r, 0, r.Size()))
	var screen [13]byte // signature and logical screen descriptor
	if _, err := io.ReadFull(in, screen[:]); err != nil {
		return 0, 0, err
	}
	if err := skipColours(in, screen[10]); err != nil {
		return 0, 0, err
	}
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return 0, 0, err
		}
		switch kind {
		case 0x3B: // trailer
			return frames, area, nil
		case 0x21: // extension: its label, then blocks
			_, err = in.Discard(1)
		case 0x2C: // image descriptor, colours, size of the codes, then blocks
			var d [9]byte
			if _, err := io.ReadFull(in, d[:]); err != nil {
				return 0, 0, err
			}
			frames++
			area += int64(binary.LittleEndian.Uint16(d[4:])) * int64(binary.LittleEndian.Uint16(d[6:]))
			if err = skipColours(in, d[8]); err == nil {
				_, err = in.Discard(1)
			}
		default:
			err = errors.New("neither an image nor an extension")
		}
		if err == nil {
			err = skipBlocks(in)
		}
		if err != nil {
			return 0, 0, err
		}
	}
}

// skipColours skips the colour table that flags tell of.
func skipColours(in *bufio.Reader, flags byte) error {
	if flags&0x80 == 0 {
		return nil
	}
	_, err := in.Discard(3 << (flags&7 + 1))
	return err
}

// skipBlocks skips data sub-blocks up to the empty one.
func skipBlocks(in *bufio.Reader) error {
	for {
		n, err := in.ReadByte()
		if err != nil || n == 0 {
			return err
		}
		if _, err := in.Discard(int(n)); err != nil {
			return err
		}
	}
}
