//! Downloads messages over one connection: ranges by a byte budget, the next ones asked for before the last are answered.

use std::cell::RefCell;
use std::collections::VecDeque;

use async_imap::imap_proto::{AttributeValue, Response};
use chrono::{DateTime, Utc};

use super::connection::{Connection, Done, Tag, ended};
use super::error::Fault;
use super::haul::{Batch, Haul, Wanted};
use super::survey;

/// Announced bytes that may be under way on one connection: fills a line of 1 Gbit/s at 100 ms.
const WINDOW_BYTES: u64 = 16 << 20;

/// A FETCH that is under way.
struct Flight {
    tag: Tag,
    batch: Batch,
    bytes: u64,
    alone: bool,
}

/// What came.
enum Event {
    Mail(u32, Option<DateTime<Utc>>, Vec<u8>),
    Done(Tag, Done),
    Nothing,
}

/// Downloads until nothing is left. On a fault, what had not come is wanted again; [`Fault::Stopped`] is one.
pub(super) async fn drain(
    connection: &mut Connection<'_>,
    haul: &RefCell<Haul<'_>>,
    ahead: usize,
) -> Result<(), Fault> {
    let mut flights: VecDeque<Flight> = VecDeque::new();
    let result = run(connection, haul, ahead, &mut flights).await;
    let Err(fault) = result else { return Ok(()) };
    let fault = match fault {
        // In the middle of FETCH answers it is a literal that is longer or shorter than announced.
        Fault::Protocol { text, .. } => Fault::WrongSize { text: format!("what follows a message is no IMAP: {text}") },
        fault => fault,
    };
    let under_way: Vec<Batch> = flights.into_iter().map(|flight| flight.batch).collect();
    haul.borrow_mut().broke(under_way, &fault)?;
    Err(fault)
}

async fn run(
    connection: &mut Connection<'_>,
    haul: &RefCell<Haul<'_>>,
    ahead: usize,
    flights: &mut VecDeque<Flight>,
) -> Result<(), Fault> {
    let pulse = connection.pulse();
    loop {
        if flights.is_empty() {
            look_for(connection, haul).await?;
        }
        let mut under_way: u64 = flights.iter().map(|flight| flight.bytes).sum();
        while flights.len() <= ahead && (flights.is_empty() || under_way < WINDOW_BYTES) && !pulse.stopped() {
            let Some(batch) = haul.borrow_mut().next_batch(flights.is_empty()) else { break };
            let command = format!("UID FETCH {} (UID INTERNALDATE BODY.PEEK[])", ranges(&batch.wanted));
            let (bytes, alone) = (batch.bytes(), batch.wanted.len() == 1);
            under_way += bytes;
            // In the list before it is sent: a batch is never lost on a connection that breaks here.
            flights.push_back(Flight { tag: Tag::default(), batch, bytes, alone });
            let tag = connection.send(&command).await?;
            if let Some(flight) = flights.back_mut() {
                flight.tag = tag;
            }
        }
        if flights.is_empty() {
            return if pulse.stopped() { Err(Fault::Stopped) } else { Ok(()) };
        }
        match connection.next("FETCH", event).await? {
            Event::Nothing => {}
            Event::Mail(uid, date, bytes) => {
                let mut haul = haul.borrow_mut();
                // Answers come in the order of the commands, but a server may mix them.
                for flight in flights.iter_mut() {
                    if flight.batch.wanted.iter().any(|wanted| wanted.uid == uid) {
                        haul.arrived(&mut flight.batch, uid, date, bytes)?;
                        connection.progress();
                        break;
                    }
                }
            }
            Event::Done(tag, done) => {
                let at = flights.iter().position(|flight| flight.tag == tag);
                let Some(flight) = at.and_then(|at| flights.remove(at)) else { continue };
                connection.progress();
                close(connection, haul, flight, done, flights.is_empty()).await?;
                if pulse.stopped() {
                    return Err(Fault::Stopped);
                }
            }
        }
    }
}

/// Tells what is gone of what did not come with others; what is there is asked for alone.
async fn look_for(connection: &mut Connection<'_>, haul: &RefCell<Haul<'_>>) -> Result<(), Fault> {
    let wanted = haul.borrow_mut().doubted();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut batch = Batch { wanted, again: false };
    let looked = cross_out(connection, haul, &mut batch).await;
    let mut haul = haul.borrow_mut();
    match looked {
        Ok(()) => haul.refused_batch(batch, false, ""),
        Err(fault) => {
            haul.doubt(batch);
            Err(fault)
        }
    }
}

/// Crosses out of a batch what is gone (another client deleted it). Where the server does not say, all may be there.
async fn cross_out(connection: &mut Connection<'_>, haul: &RefCell<Haul<'_>>, batch: &mut Batch) -> Result<(), Fault> {
    let uids: Vec<u32> = batch.wanted.iter().map(|wanted| wanted.uid).collect();
    let there = match survey::present(connection, &uids).await {
        Err(Fault::Refused { .. }) => return Ok(()),
        there => there?,
    };
    let is_there = |uid: u32| there.binary_search(&uid).is_ok();
    haul.borrow_mut().gone(&uids.into_iter().filter(|uid| !is_there(*uid)).collect::<Vec<_>>());
    batch.wanted.retain(|wanted| is_there(wanted.uid));
    Ok(())
}

/// Ends a FETCH.
async fn close(
    connection: &mut Connection<'_>,
    haul: &RefCell<Haul<'_>>,
    flight: Flight,
    done: Done,
    quiet: bool,
) -> Result<(), Fault> {
    let mut batch = flight.batch;
    match done {
        Done::No(answer) => haul.borrow_mut().refused_batch(batch, flight.alone, &answer.text)?,
        Done::Ok(_) if batch.wanted.is_empty() || batch.again => {}
        Done::Ok(_) if !flight.alone => haul.borrow_mut().doubt(batch),
        Done::Ok(_) if !quiet => haul.borrow_mut().put_back(batch),
        Done::Ok(_) => {
            // Alone, and still nothing: gone, or not given?
            if let Err(fault) = cross_out(connection, haul, &mut batch).await {
                haul.borrow_mut().put_back(batch);
                return Err(fault);
            }
            haul.borrow_mut().refused_batch(batch, true, "it answers OK without the message")?;
        }
    }
    haul.borrow_mut().advance();
    Ok(())
}

fn event(response: &Response<'_>) -> Event {
    if let Some((tag, done)) = ended(response) {
        return Event::Done(tag, done);
    }
    let Response::Fetch(_, attributes) = response else { return Event::Nothing };
    let (mut uid, mut date, mut body) = (None, None, None);
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(n) => uid = Some(*n),
            AttributeValue::InternalDate(text) => date = internal_date(text),
            AttributeValue::BodySection { section: None, data: Some(data), .. } => body = Some(data.to_vec()),
            _ => {}
        }
    }
    match (uid, body) {
        (Some(uid), Some(body)) => Event::Mail(uid, date, body),
        // Flags that changed meanwhile.
        _ => Event::Nothing,
    }
}

/// `date-time` of RFC 9051: ` 1-Jul-2026 04:05:06 +0200`.
fn internal_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_str(text.trim(), "%d-%b-%Y %H:%M:%S %z").ok().map(|date| date.with_timezone(&Utc))
}

/// The messages as a sequence set, and none between them: that one may be over the limit.
fn ranges(wanted: &[Wanted]) -> String {
    super::uid_set(&wanted.iter().map(|wanted| wanted.uid).collect::<Vec<_>>())
}
