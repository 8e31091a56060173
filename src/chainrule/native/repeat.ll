; A loop over a step table: repeat.py tells what the block means.

;                  rows count run  team moves moving done
%Repeat = type { ptr, i64, ptr, ptr, i64, i64, i64, i64, [0 x %Move] }
;                target base bytes
%Move = type { ptr, i64, i64 }

; Steps i0 to i1 - 1: a kernel like all others, whose one axis are the steps. It ends early at an error.
define void @repeat(ptr %args, i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr %context) {
start:
  %rows = load ptr, ptr %args
  %count.at = getelementptr %Repeat, ptr %args, i64 0, i32 1
  %count = load i64, ptr %count.at
  %run.at = getelementptr %Repeat, ptr %args, i64 0, i32 2
  %run = load ptr, ptr %run.at
  %team.at = getelementptr %Repeat, ptr %args, i64 0, i32 3
  %team = load ptr, ptr %team.at
  %moves.at = getelementptr %Repeat, ptr %args, i64 0, i32 4
  %moves = load i64, ptr %moves.at
  %moving.at = getelementptr %Repeat, ptr %args, i64 0, i32 5
  %moving = load i64, ptr %moving.at
  %done.at = getelementptr %Repeat, ptr %args, i64 0, i32 6
  br label %place

; Every pointer to where it is at step i0.
place:
  %p = phi i64 [ 0, %start ], [ %p.after, %placing ]
  %p.more = icmp slt i64 %p, %moves
  br i1 %p.more, label %placing, label %next
placing:
  %p.move = getelementptr %Repeat, ptr %args, i64 0, i32 8, i64 %p
  %p.target = load ptr, ptr %p.move
  %p.base.at = getelementptr %Move, ptr %p.move, i64 0, i32 1
  %p.base = load i64, ptr %p.base.at
  %p.bytes.at = getelementptr %Move, ptr %p.move, i64 0, i32 2
  %p.bytes = load i64, ptr %p.bytes.at
  %p.way = mul i64 %p.bytes, %i0
  %p.word = add i64 %p.base, %p.way
  store i64 %p.word, ptr %p.target
  %p.after = add i64 %p, 1
  br label %place

next:
  %i = phi i64 [ %i0, %place ], [ %i.after, %move ]
  store i64 %i, ptr %done.at
  %more = icmp slt i64 %i, %i1
  br i1 %more, label %step, label %end
step:
  %code = call i64 %run(ptr %team, ptr %rows, i64 0, i64 %count, ptr %context)
  %fine = icmp eq i64 %code, 0
  br i1 %fine, label %moved, label %end
moved:
  %i.after = add i64 %i, 1
  br label %move
move:
  %m = phi i64 [ 0, %moved ], [ %m.after, %moving.one ]
  %m.more = icmp slt i64 %m, %moving
  br i1 %m.more, label %moving.one, label %next
moving.one:
  %m.move = getelementptr %Repeat, ptr %args, i64 0, i32 8, i64 %m
  %m.target = load ptr, ptr %m.move
  %m.bytes.at = getelementptr %Move, ptr %m.move, i64 0, i32 2
  %m.bytes = load i64, ptr %m.bytes.at
  %m.word = load i64, ptr %m.target
  %m.new = add i64 %m.word, %m.bytes
  store i64 %m.new, ptr %m.target
  %m.after = add i64 %m, 1
  br label %move
end:
  ret void
}

;                 source order rows' bytes, to
%Gather = type { ptr, ptr, i64, ptr }

declare ptr @memcpy(ptr, ptr, i64)

; Rows i0 to i1 - 1 of a batch: row order[i] of the source. The order has been checked.
define void @gather(ptr %args, i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr %context) {
start:
  %source = load ptr, ptr %args
  %order.at = getelementptr %Gather, ptr %args, i64 0, i32 1
  %order = load ptr, ptr %order.at
  %bytes.at = getelementptr %Gather, ptr %args, i64 0, i32 2
  %bytes = load i64, ptr %bytes.at
  %to.at = getelementptr %Gather, ptr %args, i64 0, i32 3
  %to = load ptr, ptr %to.at
  br label %next
next:
  %i = phi i64 [ %i0, %start ], [ %i.after, %copied ]
  %more = icmp slt i64 %i, %i1
  br i1 %more, label %copy, label %end
copy:
  %row.at = getelementptr i64, ptr %order, i64 %i
  %row = load i64, ptr %row.at
  %from.way = mul i64 %row, %bytes
  %from = getelementptr i8, ptr %source, i64 %from.way
  %to.way = mul i64 %i, %bytes
  %into = getelementptr i8, ptr %to, i64 %to.way
  switch i64 %bytes, label %many [ i64 4, label %four
                                   i64 8, label %eight ]
four: ; a label, or a row as short: a call would take longer than the copy
  %half = load i32, ptr %from, align 1
  store i32 %half, ptr %into, align 1
  br label %copied
eight:
  %word = load i64, ptr %from, align 1
  store i64 %word, ptr %into, align 1
  br label %copied
many:
  call ptr @memcpy(ptr %into, ptr %from, i64 %bytes)
  br label %copied
copied:
  %i.after = add i64 %i, 1
  br label %next
end:
  ret void
}
