package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// dict is a Python dictionary in insertion order. Keys are looked up by linear search, which happens once a file.
type dict struct {
	keys, values []any
}

func (d *dict) get(name string) any {
	for i := len(d.keys) - 1; i >= 0; i-- { // the last assignment wins
		if d.keys[i] == any(name) {
			return d.values[i]
		}
	}
	return nil
}

type (
	list   struct{ items []any }
	tuple  struct{ items []any }
	global string   // module and name of a class or function; never resolved
	inert  struct{} // what an unknown class would have made
	mark   struct{}
)

// storageRef names the bytes of a tensor: count numbers of a class such as FloatStorage in the member data/key.
type storageRef struct {
	class, key string
	count      int
}

type tensorRef struct {
	storage       storageRef
	offset        int
	shape, stride []int
}

// machine interprets the opcodes of pickle protocols 2 to 5 that torch.save uses (Python's Lib/pickletools.py).
type machine struct {
	code  []byte
	at    int
	stack []any
	memo  map[uint32]any
}

// unpickle runs a program on data. Time and memory are linear in its length: opcodes that copy the stack do not exist.
func unpickle(code []byte) (any, error) {
	m := machine{code: code, memo: map[uint32]any{}}
	for {
		op, err := m.take(1)
		if err != nil {
			return nil, err
		}
		if op[0] == '.' {
			return m.pop()
		}
		if err := m.step(op[0]); err != nil {
			return nil, fmt.Errorf("byte %d: opcode %#02x: %w", m.at, op[0], err)
		}
	}
}

var (
	errShort = errors.New("ends early")
	errStack = errors.New("stack does not hold what is asked for")
)

func (m *machine) take(n int) ([]byte, error) {
	if n < 0 || n > len(m.code)-m.at {
		return nil, errShort
	}
	m.at += n
	return m.code[m.at-n : m.at], nil
}

// number reads an unsigned little-endian number of n <= 8 bytes.
func (m *machine) number(n int) (uint64, error) {
	b, err := m.take(n)
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[:], b)
	return binary.LittleEndian.Uint64(wide[:]), nil
}

// text reads a length of n bytes and as many bytes of text.
func (m *machine) text(n int) ([]byte, error) {
	length, err := m.number(n)
	if err != nil {
		return nil, err
	}
	if length > uint64(len(m.code)) {
		return nil, errShort
	}
	return m.take(int(length))
}

func (m *machine) line() (string, error) {
	for i := m.at; i < len(m.code); i++ {
		if m.code[i] == '\n' {
			s := string(m.code[m.at:i])
			m.at = i + 1
			return s, nil
		}
	}
	return "", errShort
}

func (m *machine) push(v any) error {
	m.stack = append(m.stack, v)
	return nil
}

func (m *machine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, errStack
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	if _, ok := v.(mark); ok {
		return nil, errStack
	}
	return v, nil
}

// popMark takes everything above the last mark, and the mark.
func (m *machine) popMark() ([]any, error) {
	for i := len(m.stack) - 1; i >= 0; i-- {
		if _, ok := m.stack[i].(mark); ok {
			items := append([]any(nil), m.stack[i+1:]...)
			m.stack = m.stack[:i]
			return items, nil
		}
	}
	return nil, errStack
}

// popN takes the n topmost values, lowest first.
func (m *machine) popN(n int) ([]any, error) {
	items := make([]any, n)
	for i := n - 1; i >= 0; i-- {
		v, err := m.pop()
		if err != nil {
			return nil, err
		}
		items[i] = v
	}
	return items, nil
}

func (m *machine) top() (any, error) {
	if len(m.stack) == 0 {
		return nil, errStack
	}
	return m.stack[len(m.stack)-1], nil
}

// step runs one opcode. Names in the comments are those of pickletools.
func (m *machine) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		v, err := m.number(1)
		if err == nil && (v < 2 || v > 5) {
			return fmt.Errorf("protocol %d", v)
		}
		return err
	case 0x95: // FRAME
		_, err := m.number(8)
		return err
	case '(': // MARK
		return m.push(mark{})
	case '0': // POP
		_, err := m.pop()
		return err
	case '1': // POP_MARK
		_, err := m.popMark()
		return err
	case 'N': // NONE
		return m.push(nil)
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		return m.push(op == 0x88)
	case '}': // EMPTY_DICT
		return m.push(&dict{})
	case ']': // EMPTY_LIST
		return m.push(&list{})
	case ')': // EMPTY_TUPLE
		return m.push(&tuple{})
	case 0x8f: // EMPTY_SET
		return m.push(inert{})
	case 'K', 'M', 'J', 0x8a, 'G', 'X', 0x8c, 0x8d, 'B', 'C', 0x8e:
		return m.literal(op)
	case 'q', 'r', 'h', 'j', 0x94:
		return m.remember(op)
	case 'c', 0x93, 'R', 0x81, 'Q', 'b':
		return m.object(op)
	default:
		return m.collect(op)
	}
}

// operand is the width in bytes of the number that follows an opcode.
func operand(op byte) int {
	switch op {
	case 'K', 'C', 0x8c, 'q', 'h':
		return 1
	case 'M':
		return 2
	case 'X', 'B', 'r', 'j':
		return 4
	default:
		return 8
	}
}

// literal pushes a number, a text or bytes.
func (m *machine) literal(op byte) error {
	switch op {
	case 'K', 'M': // BININT1, BININT2
		v, err := m.number(operand(op))
		if err != nil {
			return err
		}
		return m.push(int(v))
	case 'J': // BININT
		v, err := m.number(4)
		if err != nil {
			return err
		}
		return m.push(int(int32(v)))
	case 0x8a: // LONG1: two's complement of any length
		b, err := m.text(1)
		if err != nil {
			return err
		}
		if len(b) > 8 {
			return m.push(inert{})
		}
		var wide [8]byte
		copy(wide[:], b)
		v := int64(binary.LittleEndian.Uint64(wide[:]))
		shift := 64 - 8*len(b)
		return m.push(int(v << shift >> shift))
	case 'G': // BINFLOAT, big-endian
		b, err := m.take(8)
		if err != nil {
			return err
		}
		return m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	}
	b, err := m.text(operand(op))
	if err != nil {
		return err
	}
	switch op {
	case 'X', 0x8c, 0x8d: // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8
		return m.push(string(b))
	default: // SHORT_BINBYTES, BINBYTES, BINBYTES8
		return m.push(inert{})
	}
}

// remember stores the topmost value in the memo or pushes one from it.
func (m *machine) remember(op byte) error {
	key := uint64(len(m.memo))
	if op != 0x94 { // MEMOIZE counts for itself
		var err error
		if key, err = m.number(operand(op)); err != nil {
			return err
		}
	}
	if op == 'h' || op == 'j' { // BINGET, LONG_BINGET
		v, ok := m.memo[uint32(key)]
		if !ok {
			return fmt.Errorf("memo %d is empty", key)
		}
		return m.push(v)
	}
	v, err := m.top() // BINPUT, LONG_BINPUT
	if err != nil {
		return err
	}
	if _, ok := v.(mark); ok {
		return errStack
	}
	m.memo[uint32(key)] = v
	return nil
}

// object handles names of classes and what they would make.
func (m *machine) object(op byte) error {
	switch op {
	case 'c': // GLOBAL
		module, err := m.line()
		if err != nil {
			return err
		}
		name, err := m.line()
		if err != nil {
			return err
		}
		return m.name(module + "." + name)
	case 'Q': // BINPERSID
		v, err := m.pop()
		if err != nil {
			return err
		}
		return m.push(persistent(v))
	}
	pair, err := m.popN(2)
	if err != nil {
		return err
	}
	switch op {
	case 0x93: // STACK_GLOBAL
		module, ok1 := pair[0].(string)
		name, ok2 := pair[1].(string)
		if !ok1 || !ok2 {
			return errStack
		}
		return m.name(module + "." + name)
	case 'b': // BUILD: sets the state of an object; the object stays what it is
		return m.push(pair[0])
	default: // REDUCE, NEWOBJ: what a call would return
		return m.push(construct(pair[0], pair[1]))
	}
}

// collect builds tuples and fills lists and dictionaries.
func (m *machine) collect(op byte) error {
	var items []any
	var err error
	switch op {
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		if items, err = m.popN(int(op - 0x84)); err != nil {
			return err
		}
		return m.push(&tuple{items})
	case 't', 'e', 'u', 0x90: // TUPLE, APPENDS, SETITEMS, ADDITEMS
		items, err = m.popMark()
	case 'a': // APPEND
		items, err = m.popN(1)
	case 's': // SETITEM
		items, err = m.popN(2)
	default:
		return errors.New("not known")
	}
	if err != nil {
		return err
	}
	if op == 't' {
		return m.push(&tuple{items})
	}
	target, err := m.top()
	if err != nil {
		return err
	}
	switch container := target.(type) {
	case *list:
		if op == 'a' || op == 'e' {
			container.items = append(container.items, items...)
			return nil
		}
	case *dict:
		if op != 's' && op != 'u' || len(items)%2 != 0 {
			return errStack
		}
		for i := 0; i < len(items); i += 2 {
			container.keys = append(container.keys, items[i])
			container.values = append(container.values, items[i+1])
		}
		return nil
	case inert:
		return nil
	}
	return errStack
}
