package pixel

// huffmanCode is the code of one category: its bits, right-aligned, and how many they are; 0 for a category that does
// not occur.
type huffmanCode struct {
	bits   uint32
	length uint8
}

// categories of differences in JPEG Lossless: 0 to 16, 10918-1 table H.2.
const categories = 17

// huffmanCodes returns a code of minimal length for the frequencies of categories, at most 16 bits long and without a
// code of ones only (10918-1 annex C and K.2), with what a DHT segment tells of it: how many codes there are of each
// length, 1 to 16, and the categories in the order of their codes.
func huffmanCodes(frequency *[categories]int) (codes [categories]huffmanCode, counts [16]byte, values []byte) {
	lengths := huffmanLengths(frequency)
	code, length := uint32(0), uint8(1)
	for ; length <= 16; length++ {
		for c := range categories {
			if lengths[c] == length {
				codes[c] = huffmanCode{code, length}
				values = append(values, byte(c))
				counts[length-1]++
				code++
			}
		}
		code <<= 1
	}
	return codes, counts, values
}

// huffmanLengths returns the length of each category's code. One more symbol takes part, the rarest: it gets the code
// of ones, which thus is free. Frequencies are halved until no code is longer than 16 bits.
func huffmanLengths(frequency *[categories]int) (lengths [categories]uint8) {
	weight := [categories + 1]int{categories: 1}
	for c, n := range frequency {
		weight[c] = 2 * n // so that none but the last has 1
	}
	for {
		all, most := treeDepths(weight)
		if most <= 16 {
			copy(lengths[:], all[:])
			return lengths
		}
		for c, n := range weight[:categories] {
			if n > 0 {
				weight[c] = max(2, n/2)
			}
		}
	}
}

// treeDepths builds Huffman's tree over the symbols of positive weight and returns each one's depth and the largest.
func treeDepths(weight [categories + 1]int) (depths [categories + 1]uint8, most uint8) {
	group := [categories + 1]int{} // symbols of one subtree have the same group
	for i := range group {
		group[i] = i
	}
	for {
		a, b := -1, -1 // the two lightest subtrees; among equals the later one is the lighter
		for i, w := range weight {
			switch {
			case w == 0:
			case a < 0 || w <= weight[a]:
				a, b = i, a
			case b < 0 || w <= weight[b]:
				b = i
			}
		}
		if b < 0 {
			return depths, most
		}
		weight[b] += weight[a]
		weight[a] = 0
		for i := range group {
			if group[i] == a || group[i] == b {
				group[i] = b
				depths[i]++
				most = max(most, depths[i])
			}
		}
	}
}
