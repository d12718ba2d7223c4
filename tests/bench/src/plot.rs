//! A picture of the ratios of one kind of work: for each case and each system beside ours a dot and its spread.
//!
//! The scale is logarithmic, as twice as fast and half as fast are equally far from the same.

use svg::{
    Document,
    node::element::{Circle, Line, Text},
};

use crate::{
    figures::Figure,
    page::spread,
    record::{Block, Record, Row, Spread},
    report::label,
};

const WIDTH: f64 = 1040.0;
const ROW: f64 = 22.0;
/// Where the scale begins and ends; the names stand before it, the figures behind.
const LEFT: f64 = 430.0;
const RIGHT: f64 = 760.0;
const TOP: f64 = 34.0;
/// What the scale may show; further ones are as good as none.
const TICKS: [f64; 16] =
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
const AHEAD: &str = "#1a7f37";
const BEHIND: &str = "#b35900";
/// Readable on a white page and on a dark one.
const GREY: &str = "#808080";

/// One dot.
struct Entry<'a> {
    name: String,
    figure: Figure,
    ratio: &'a Spread,
}

/// The picture, as SVG; none if nothing is beside ours.
pub(crate) fn picture(record: &Record) -> Option<String> {
    let entries: Vec<Entry<'_>> = record.blocks.iter().flat_map(entries_of).collect();
    if entries.is_empty() {
        return None;
    }
    let height = TOP + ROW * entries.len() as f64 + 10.0;
    let scale = Scale::of(&entries);
    let mut document = Document::new()
        .set("viewBox", (0.0, 0.0, WIDTH, height))
        .set("width", WIDTH)
        .set("height", height)
        .set("font-family", "sans-serif")
        .set("font-size", 12);
    for tick in scale.ticks() {
        let (x, width) = (scale.place(tick), if tick == 1.0 { 2 } else { 1 });
        document = document
            .add(line((x, TOP - 8.0), (x, height - 8.0), GREY, width).set("opacity", 0.5))
            .add(text(format!("{tick}"), x, TOP - 14.0, "middle", GREY));
    }
    for (place, entry) in entries.iter().enumerate() {
        document = draw(document, entry, TOP + ROW * (place as f64 + 0.5), &scale);
    }
    Some(format!("{document}\n"))
}

fn entries_of(block: &Block) -> impl Iterator<Item = Entry<'_>> {
    let rows = block.rows.iter().filter(|row| is_drawn(row.figure));
    rows.flat_map(move |row: &Row| {
        row.ratios.iter().map(move |ratio| Entry {
            name: format!("{}: {}", short(&block.title), label(row.figure)),
            figure: row.figure,
            ratio,
        })
    })
}

/// What people ask for first; the table has the rest.
const fn is_drawn(figure: Figure) -> bool {
    use Figure::{
        AcceptingMemory, Connections, DiallingMemory, Median, Messages, MostShare, NinetyNinth,
    };
    matches!(
        figure,
        Messages
            | Median
            | NinetyNinth
            | Connections
            | AcceptingMemory
            | DiallingMemory
            | MostShare
    )
}

/// A title without what all titles of a picture have.
fn short(title: &str) -> String {
    let title = title.split(", each end on").next().unwrap_or(title);
    let title = title.split(", both ends on").next().unwrap_or(title);
    let title =
        title.replace("flood of ", "").replace(" one way", "").replace("round trip of ", "");
    title.replace("a small message every 5 ms beside messages of", "beside")
}

/// Ratios to places.
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn of(entries: &[Entry<'_>]) -> Self {
        let (mut least, mut most): (f64, f64) = (0.5, 2.0);
        for Entry { ratio, .. } in entries {
            (least, most) = (least.min(ratio.least), most.max(ratio.most));
        }
        Self { least: (least * 0.9).max(TICKS[0]), most: (most * 1.1).min(TICKS[TICKS.len() - 1]) }
    }

    fn place(&self, ratio: f64) -> f64 {
        let ratio = ratio.clamp(self.least, self.most);
        let part = (ratio / self.least).ln() / (self.most / self.least).ln();
        LEFT + part * (RIGHT - LEFT)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let within = self.least..=self.most;
        TICKS.into_iter().filter(move |tick| within.contains(tick))
    }
}

fn draw(document: Document, entry: &Entry<'_>, y: f64, scale: &Scale) -> Document {
    let Entry { name, figure, ratio } = entry;
    let ahead = (ratio.median >= 1.0) != figure.is_cost();
    let colour = if ahead { AHEAD } else { BEHIND };
    let [least, median, most] = [ratio.least, ratio.median, ratio.most].map(|it| scale.place(it));
    let figures = format!("{} of {}", spread(ratio), ratio.to);
    document
        .add(text(name.clone(), LEFT - 10.0, y + 4.0, "end", GREY))
        .add(line((least, y), (most, y), colour, 3))
        .add(Circle::new().set("cx", median).set("cy", y).set("r", 5).set("fill", colour))
        .add(text(figures, RIGHT + 10.0, y + 4.0, "start", GREY))
}

fn line(from: (f64, f64), to: (f64, f64), colour: &str, width: u32) -> Line {
    Line::new()
        .set("x1", round(from.0))
        .set("y1", round(from.1))
        .set("x2", round(to.0))
        .set("y2", round(to.1))
        .set("stroke", colour)
        .set("stroke-width", width)
}

fn text(content: String, x: f64, y: f64, anchor: &str, colour: &str) -> Text {
    Text::new(content)
        .set("x", round(x))
        .set("y", round(y))
        .set("text-anchor", anchor)
        .set("fill", colour)
}

/// A tenth of a pixel is all that can be seen.
fn round(place: f64) -> f64 {
    (place * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(least: f64, most: f64) -> Spread {
        Spread { to: "raw".to_owned(), least, median: (least * most).sqrt(), most }
    }

    #[test]
    fn twice_and_half_are_equally_far_from_the_same() {
        let ratio = ratio(0.25, 4.0);
        let entry = Entry { name: String::new(), figure: Figure::Messages, ratio: &ratio };
        let scale = Scale::of(&[entry]);
        let (half, same, twice) = (scale.place(0.5), scale.place(1.0), scale.place(2.0));
        assert!(((twice - same) - (same - half)).abs() < 1e-9);
        assert!(LEFT < half && twice < RIGHT);
    }

    #[test]
    fn what_does_not_fit_on_the_scale_stands_at_its_end() {
        let ratio = ratio(1.0, 12_000.0);
        let scale =
            Scale::of(&[Entry { name: String::new(), figure: Figure::Median, ratio: &ratio }]);
        assert_eq!(scale.place(12_000.0), RIGHT);
    }
}
