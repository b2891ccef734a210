//! The phones of the demo: each text as it comes, and what was replied.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Widget};

use super::style::{PLAIN, Styles, TITLE};
use super::{fit, wrapped};
use crate::tui::PhoneLine;
use crate::tui::app::App;

fn head(app: &App, line: &PhoneLine) -> String {
    let at = line.at.to_zoned_datetime(app.look.zone.clone()).strftime("%H:%M:%S").to_string();
    // Out to somebody's phone, or back from it.
    if line.incoming { format!("{at} ◂ {}", line.from) } else { format!("{at} ▸ {}", line.to) }
}

/// On the right of a wide screen: newest at the bottom, texts in full.
pub fn side(app: &App, styles: Styles, area: Rect, buf: &mut Buffer) {
    let block = Block::bordered().title(format!(" {} ", app.look.words.phone)).border_style(styles.quiet());
    let inner = block.inner(area);
    block.render(area, buf);
    if app.phone.is_empty() {
        return Line::styled(format!(" {}", app.look.words.no_texts), styles.quiet()).render(inner, buf);
    }
    let mut bottom = inner.bottom();
    for line in app.phone.iter().rev() {
        let text = wrapped(&line.text, usize::from(inner.width).saturating_sub(3));
        let Some(top) = bottom.checked_sub(text.len() as u16 + 2).filter(|top| *top >= inner.top()) else { break };
        let style = if line.incoming { styles.calm() } else { TITLE };
        Line::styled(format!(" {}", head(app, line)), style).render(Rect { y: top, height: 1, ..inner }, buf);
        for (text, y) in text.into_iter().zip(top + 1..) {
            Line::raw(fit(&format!("   {text}"), inner.width.into())).render(Rect { y, height: 1, ..inner }, buf);
        }
        bottom = top;
    }
}

/// Below a narrow one: the last three, a line each.
pub fn below(app: &App, styles: Styles, area: Rect, buf: &mut Buffer) {
    let block =
        Block::new().borders(Borders::TOP).title(format!("─ {} ", app.look.words.phone)).border_style(styles.quiet());
    let inner = block.inner(area);
    block.render(area, buf);
    if app.phone.is_empty() {
        return Line::styled(format!(" {}", app.look.words.no_texts), styles.quiet()).render(inner, buf);
    }
    let first = app.phone.len().saturating_sub(inner.height.into());
    for (line, y) in app.phone[first..].iter().zip(inner.top()..inner.bottom()) {
        let text = format!(" {} {}", head(app, line), line.text.replace('\n', " "));
        let style = if line.incoming { styles.calm() } else { PLAIN };
        Line::styled(fit(&text, inner.width.into()), style).render(Rect { y, height: 1, ..inner }, buf);
    }
}
