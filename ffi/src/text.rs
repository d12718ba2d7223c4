//! Pointers of C programs: checked for NULL, text for UTF-8.

use std::{
    ffi::{CStr, c_char},
    ptr, slice,
};

use p2pchan::Error;

use crate::result::invalid;

/// A pointer that must not be NULL.
///
/// # Safety
/// It points to a live value, or is NULL.
#[inline]
pub(crate) unsafe fn required<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Error> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

#[cold]
pub(crate) fn null(name: &str) -> Error {
    invalid(format!("{name} is NULL; pass a pointer"))
}

/// Where something is to be written.
pub(crate) fn place<T>(pointer: *mut T, name: &str) -> Result<*mut T, Error> {
    if pointer.is_null() { Err(null(name)) } else { Ok(pointer) }
}

/// Text that must not be NULL.
///
/// # Safety
/// It ends with NUL, or is NULL.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, Error> {
    // SAFETY: the caller's promise.
    unsafe { optional_text(pointer, name) }?.ok_or_else(|| null(name))
}

/// Text, or NULL for none.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn optional_text<'a>(
    pointer: *const c_char,
    name: &str,
) -> Result<Option<&'a str>, Error> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) }.to_str();
    text.map(Some).map_err(|error| {
        invalid(format!("{name} is not UTF-8 (byte {}); convert it", error.valid_up_to()))
    })
}

/// Bytes; NULL is allowed if there are none.
///
/// # Safety
/// There are `len` bytes.
#[inline]
pub(crate) unsafe fn bytes<'a>(data: *const u8, len: usize, name: &str) -> Result<&'a [u8], Error> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(null(name));
    }
    if isize::try_from(len).is_err() {
        return Err(invalid(format!("{name} has {len} bytes; no memory is that large")));
    }
    // SAFETY: the caller's promise, and what was checked above.
    Ok(unsafe { slice::from_raw_parts(data, len) })
}

/// Writes text if it fits with its NUL, and its length without that in any case.
///
/// # Safety
/// `out` has room for `cap` bytes, `len` for one length, or they are NULL.
pub(crate) unsafe fn write_text(
    text: &str,
    out: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> Result<(), Error> {
    if out.is_null() && cap > 0 {
        return Err(null("out"));
    }
    if len.is_null() {
        return Err(null("len"));
    }
    // SAFETY: `out` has room for `cap` bytes, which are more than the text; `len` is not NULL.
    unsafe {
        if text.len() < cap {
            ptr::copy_nonoverlapping(text.as_ptr().cast(), out, text.len());
            out.add(text.len()).write(0);
        }
        len.write(text.len());
    }
    Ok(())
}

/// A structure of the program that begins with its size, as this version knows it: what the program
/// does not know of is zero.
///
/// # Safety
/// `T` is valid when it is zero, begins with a `usize` and is plain data; `pointer` points to as many
/// bytes as that says, or is NULL.
pub(crate) unsafe fn sized<T: Copy>(pointer: *const T, name: &str) -> Result<T, Error> {
    /// More than any version will have: what is larger was never set.
    const MOST: usize = 4096;
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: it begins with its size.
    let size = unsafe { pointer.cast::<usize>().read() };
    if !(size_of::<usize>()..=MOST).contains(&size) {
        return Err(invalid(format!("{name}.struct_size is {size}; set it to sizeof({name})")));
    }
    let known = size.min(size_of::<T>());
    // SAFETY: there are `size` bytes, of which those up to `known` fit into a T.
    let (value, beyond) = unsafe {
        let mut value = std::mem::MaybeUninit::<T>::zeroed();
        ptr::copy_nonoverlapping(pointer.cast::<u8>(), value.as_mut_ptr().cast(), known);
        let beyond = slice::from_raw_parts(pointer.cast::<u8>().add(known), size - known);
        (value.assume_init(), beyond)
    };
    if beyond.iter().any(|byte| *byte != 0) {
        return Err(invalid(format!(
            "{name} uses members that this library, which is older than the header, does not have; \
             use a newer library"
        )));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Grown {
        struct_size: usize,
        first: usize,
        second: usize,
    }

    fn read<T: Copy>(bytes: &[usize]) -> Result<T, Error> {
        // SAFETY: the tests say no more than there is.
        unsafe { sized(bytes.as_ptr().cast::<T>(), "grown") }
    }

    #[test]
    fn an_older_structure_is_completed_with_zeros() {
        let word = size_of::<usize>();
        let grown: Grown = read(&[2 * word, 7]).unwrap();
        assert_eq!((grown.struct_size, grown.first, grown.second), (2 * word, 7, 0));
    }

    #[test]
    fn a_newer_structure_is_taken_unless_it_uses_what_is_unknown() {
        let word = size_of::<usize>();
        assert_eq!(read::<Grown>(&[4 * word, 1, 2, 0]).unwrap().second, 2);
        assert!(read::<Grown>(&[4 * word, 1, 2, 3]).is_err());
    }

    #[test]
    fn a_size_that_nobody_set_is_refused() {
        for size in [0, 1, usize::MAX] {
            let error = read::<Grown>(&[size]).err().unwrap();
            assert!(error.message().contains("struct_size"), "{error}");
        }
    }

    #[test]
    fn text_that_does_not_fit_tells_its_length_and_writes_nothing() {
        let (mut out, mut len) = ([1; 4], 0);
        for (text, expected) in [("four", [1; 4]), ("abc", [97, 98, 99, 0])] {
            // SAFETY: there is room.
            unsafe { write_text(text, out.as_mut_ptr(), out.len(), &raw mut len) }.unwrap();
            assert_eq!((out, len), (expected, text.len()));
        }
    }
}
