//! The protobuf encoding of an aggregate, read as Amazon's library for Java reads it.
//!
//! A message is a sequence of fields, each with a tag: the field's number and the form of its value. A field whose tag is unknown is
//! skipped, also if only its form is unexpected.

/// A field with the value in its encoded form. `bytes` fields are a range of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// A value of another form. No field of an aggregate has one.
    Other,
}

/// The deepest nesting of groups.
const DEEPEST: usize = 100;

/// Reads the fields of a message one by one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The number of bytes that were not read yet.
    pub(super) fn rest_len(&self) -> usize {
        self.rest.len()
    }

    /// The next field: its number and its value. `None` if the message is malformed here.
    fn field(&mut self) -> Option<(u32, Value<'a>)> {
        let (number, form) = self.tag()?;
        if form == 3 {
            self.skip_group(number)?;
            return Some((number, Value::Other));
        }
        Some((number, self.value(form)?))
    }

    fn tag(&mut self) -> Option<(u32, u8)> {
        // The library reads 32 bits of a tag, and of a length, and drops the others.
        let tag = self.varint()? as u32;
        Some((tag >> 3, (tag & 7) as u8)).filter(|(number, _)| *number > 0)
    }

    fn value(&mut self, form: u8) -> Option<Value<'a>> {
        Some(match form {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Other)?,
            2 => {
                let length = usize::try_from(self.varint()? as u32 as i32).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Other)?,
            _ => return None,
        })
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// A number in groups of seven bits, the lowest first. Bits beyond the 64th are dropped.
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// Skips the fields of a group up to its end, and the groups in it.
    fn skip_group(&mut self, number: u32) -> Option<()> {
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            match self.tag()? {
                (number, 3) if open.len() < DEEPEST => open.push(number),
                (number, 4) if number == innermost => _ = open.pop(),
                (_, form) => _ = self.value(form)?,
            }
        }
        Some(())
    }
}

impl<'a> Iterator for Fields<'a> {
    /// `None` stands for a malformed field, which is the last item.
    type Item = Option<(u32, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(message: &[u8]) -> Option<Vec<(u32, Value<'_>)>> {
        Fields::new(message).collect()
    }

    #[test]
    fn fields_of_all_forms_are_read() {
        let message = b"\x08\x96\x01\x12\x02hi\x19........\x25....\x33\x0b\x08\x01\x0c\x34\x3a\x00";
        let expected = [
            (1, Value::Number(150)),
            (2, Value::Bytes(b"hi")),
            (3, Value::Other),
            (4, Value::Other),
            (6, Value::Other),
            (7, Value::Bytes(b"")),
        ];
        assert_eq!(fields(message).unwrap(), expected);
        assert_eq!(fields(b"").unwrap(), []);
    }

    #[test]
    fn numbers_have_up_to_ten_bytes() {
        let max = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(fields(max).unwrap(), [(1, Value::Number(u64::MAX))]);
        let more = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f";
        assert_eq!(fields(more).unwrap(), [(1, Value::Number(u64::MAX))], "bits beyond the 64th are dropped");
        assert_eq!(fields(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80\x01"), None);
    }

    #[test]
    fn malformed_messages_are_refused() {
        let deep = [vec![0x0b; DEEPEST + 1], vec![0x0c; DEEPEST + 1]].concat();
        for message in [
            &b"\x08"[..],
            b"\x0a\x05hi",
            b"\x0a\xff\xff\xff\xff\x0f",
            b"\x02\x00",
            b"\x0e",
            b"\x0c",
            b"\x0b\x08\x01",
            b"\x0b\x14\x0c",
            b"\x19...",
            &deep,
        ] {
            assert_eq!(fields(message), None, "{message:?}");
        }
        assert_eq!(fields(&deep[1..deep.len() - 1]).unwrap(), [(1, Value::Other)]);
    }
}
