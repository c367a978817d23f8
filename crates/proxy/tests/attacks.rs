//! What an attacker sends over HTTP/2 to make a gateway work, wait or hold (fault row F3, class C20). A
//! process of its own, so that its memory is that of the attacked.

mod attacks {
    mod floods;
    mod heads;
    mod stalls;
    mod target;
}
