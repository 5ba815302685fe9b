package io.github.kdtf.books;

import android.view.View;

/** One row of a page; every page is a list of them. */
final class Row {
    enum Kind {
        HEADING(R.layout.row_heading),
        NOTE(R.layout.row_note),
        TEXT(R.layout.row_text),
        SHEET(R.layout.row_sheet),
        BUTTON(R.layout.row_button),
        FACT(R.layout.row_fact),
        FIGURE(R.layout.row_figure),
        BOOK(R.layout.row_book),
        BOOK_HEAD(R.layout.row_book_head);

        final int layout;

        Kind(int layout) {
            this.layout = layout;
        }
    }

    final Kind kind;

    /** The text, or the title of a book. */
    final String title;

    /** The second text: authors, a value; may be null. */
    final String second;

    /** The third: why a book is here; may be null. */
    String third;

    /** A word that marks a book; may be null. */
    String mark;

    /** What a screen reader says instead of the texts of a book. */
    String spoken;

    /** Of a bar in hundredths; -1 for none. */
    int percent = -1;

    /** When the row itself is clicked, or the button of it. */
    View.OnClickListener onClick;

    /** The icon at the end of a book's row; 0 for none. */
    int actionIcon;
    String actionLabel;
    View.OnClickListener onAction;

    /** A button that is not the first choice, a sheet that warns. */
    boolean quiet;
    boolean warning;

    private Row(Kind kind, String title, String second) {
        this.kind = kind;
        this.title = title;
        this.second = second;
    }

    static Row heading(String text) {
        return new Row(Kind.HEADING, text, null);
    }

    static Row note(String text) {
        return new Row(Kind.NOTE, text, null);
    }

    static Row text(String text) {
        return new Row(Kind.TEXT, text, null);
    }

    static Row sheet(String title, String text) {
        return new Row(Kind.SHEET, title, text);
    }

    static Row button(String text, View.OnClickListener onClick) {
        Row row = new Row(Kind.BUTTON, text, null);
        row.onClick = onClick;
        return row;
    }

    static Row fact(String name, String value) {
        return new Row(Kind.FACT, name, value);
    }

    /** A large figure and what it says. */
    static Row figure(String name, String value) {
        return new Row(Kind.FIGURE, name, value);
    }

    static Row book(String title, String authors) {
        return new Row(Kind.BOOK, title, authors);
    }

    static Row bookHead(String title, String authors, String facts) {
        Row row = new Row(Kind.BOOK_HEAD, title, authors);
        row.third = facts;
        return row;
    }
}
